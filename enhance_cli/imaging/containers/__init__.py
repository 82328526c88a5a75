"""The parts of files: RIFF's chunks, and the boxes of ISO base media files."""
