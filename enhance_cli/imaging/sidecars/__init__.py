"""XMP sidecars: what editors say of a photo in a file beside it."""
