"""What a run writes beside its results: comparisons, look-up tables, a gallery."""
