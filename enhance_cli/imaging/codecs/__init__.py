"""Photo files, one module a format: reading to a photo, and writing one."""
