"""Pairs of photos: where they lie, how they are rendered once, and how samples are drawn."""
