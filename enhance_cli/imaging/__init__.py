"""What happens to a photo: decoding, encoding, metadata, colour, metrics."""
