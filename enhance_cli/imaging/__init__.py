"""A photo's pixels: color spaces, resizing, color transforms, metrics; files in ``codecs``."""
