"""Reading and writing photo files: ``decode`` and ``encode``, and a module for each format."""
