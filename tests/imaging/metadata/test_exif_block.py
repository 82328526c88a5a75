import contextlib
import struct
import time

import pytest

from enhance_cli.imaging.metadata.exif import ExifError, update_block


def of_many(tag: int, kind: int, count: int, value: int) -> bytes:
    """A block of four megabytes with the most entries that a directory can have, all alike."""
    entry = struct.pack("<HHII", tag, kind, count, value)
    content = b"II*\0\x08\0\0\0\xff\xff" + entry * 65_535 + bytes(4)
    return content.ljust(2**22, b"\xff")


@pytest.mark.parametrize("gps", [True, False])
@pytest.mark.parametrize(
    "entry",
    [
        (0x8769, 4, 1, 8),  # pointers to EXIF directories, in a circle
        (0x8825, 4, 1, 8),  # pointers to GPS directories
        (0x8825, 1, 2**22 - 8, 8),
        (0xFFFF, 1, 2**22 - 8, 8),  # the whole block, again and again
        (0x010E, 2, 2**22 - 8, 8),
        (0x0201, 4, 1, 8),
        (0x0112, 3, 2**32 - 1, 8),
    ],
)
def test_a_directory_of_the_most_entries_takes_no_longer(entry, gps):
    block, started = of_many(*entry), time.process_time()
    with contextlib.suppress(ExifError):
        assert len(update_block(block, (30, 20), gps=gps)) <= len(block) + 6
    assert time.process_time() - started < 20


def test_a_value_that_overlaps_the_location_goes_with_it():
    """The text's last characters are those of the place."""
    texts = b"by the lake Witikon\0"
    entries = struct.pack("<HHII", 0x010E, 2, len(texts), 100)
    entries += struct.pack("<HHII", 0x8825, 4, 1, 200)
    block = (b"II*\0\x08\0\0\0\x02\0" + entries + bytes(4)).ljust(100, b"\0") + texts
    gps = struct.pack("<H", 1) + struct.pack("<HHII", 0x1C, 7, 8, 112) + bytes(4)
    after = update_block(block.ljust(200, b"\0") + gps, (30, 20), gps=False)
    assert b"by the lake" in after and b"Witikon" not in after
