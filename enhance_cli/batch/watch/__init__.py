"""Folders that are watched: new and changed photos are retouched as they come."""
