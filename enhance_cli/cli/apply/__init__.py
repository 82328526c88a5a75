"""``enhance apply``."""
