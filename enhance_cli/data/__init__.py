"""Pairs of photos: finding them, rendering them once, and drawing training samples."""
