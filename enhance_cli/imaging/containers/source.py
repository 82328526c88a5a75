"""Bytes that are read by their positions, whether they are in memory or in a file."""

from __future__ import annotations

import os
from typing import IO


class Source:
    """Bytes in memory, or a file, which stays open and is not read as a whole.

    Args:
        content: The bytes, or the file, opened for reading.

    Attributes:
        size: Number of bytes.
    """

    def __init__(self, content: bytes | memoryview | IO[bytes]) -> None:
        self._bytes: bytes | memoryview | None = None
        if isinstance(content, bytes | memoryview):
            self._bytes, self.size = content, len(content)
        else:
            self._file, self.size = content, content.seek(0, os.SEEK_END)

    def read(self, start: int, length: int) -> bytes:
        """Bytes from a position on: fewer at the end, and none beyond it."""
        start = min(start, self.size)
        length = max(0, min(length, self.size - start))
        if self._bytes is not None:
            return bytes(self._bytes[start : start + length])
        self._file.seek(start)
        return self._file.read(length)

    def between(self, start: int, end: int) -> bytes:
        """Bytes from one position up to another; fewer if the end comes before."""
        return self.read(start, end - start)
