"""TIFF and BigTIFF: which page is the photo, what its pixels are, and writing."""
