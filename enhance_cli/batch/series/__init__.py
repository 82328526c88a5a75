"""Photos of one scene: which belong together, and the look that they share."""
