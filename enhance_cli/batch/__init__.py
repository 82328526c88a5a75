"""A folder of photos: discovery, output paths, conflicts, workers, and results."""
