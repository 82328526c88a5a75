"""Reading and writing WebP."""
