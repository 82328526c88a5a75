"""The parts of files: RIFF's chunks, the boxes of ISO base media files, a JPEG's segments."""
