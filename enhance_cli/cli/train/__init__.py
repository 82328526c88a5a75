"""``enhance train``."""
