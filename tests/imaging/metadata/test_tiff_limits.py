"""Files of a kilobyte that claim gigabytes."""

import struct
import time
import tracemalloc
from io import BytesIO

import numpy as np
import pytest
import tifffile

from enhance_cli.imaging.metadata.exif import ExifError, read_tags
from enhance_cli.imaging.metadata.tiff_limits import CostlyTagsError, refuse_costly_tags


def tiff(tags: list[tuple[int, int, int, int]], order: str = "<", link: int = 0) -> bytes:
    """A TIFF of one directory, with these tags, types, counts and values."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    content = mark + struct.pack(f"{order}IH", 8, len(tags))
    content += b"".join(struct.pack(f"{order}HHII", *tag) for tag in tags)
    return (content + struct.pack(f"{order}I", link)).ljust(900, b"\0")


COSTLY = {
    "bytes": [(700, 1, 2**32 - 1, 100)],
    "texts": [(305, 2, 2**32 - 1, 100)],
    "shorts": [(258, 3, 2**31, 100)],
    "longs": [(273, 4, 2**30, 100)],
    "rationals": [(282, 5, 2**29, 100)],
    "doubles": [(282, 12, 2**29, 100)],
    "a thousand in the same place": [(273, 4, 200, 8)] * 70,
    "in EXIF": [(0x8769, 4, 1, 8), (0x9000, 7, 2**32 - 1, 100)],
    "EXIF behind the end": [(0x8769, 4, 1, 2**31)],
    "GPS behind the end": [(0x8825, 4, 1, 2**31)],
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", COSTLY)
def test_tags_that_claim_more_than_the_file_are_refused(tmp_path, name, order):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(COSTLY[name], order))
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(ExifError):
        read_tags(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21 and time.process_time() - started < 10


@pytest.mark.parametrize("name", COSTLY)
def test_so_are_those_in_the_preview_of_a_raw(name):
    segment = b"Exif\0\0" + tiff(COSTLY[name])
    started = time.process_time()
    with pytest.raises(ExifError):
        read_tags(b"\xff\xd8\xff\xe1" + struct.pack(">H", 2 + len(segment)) + segment)
    assert time.process_time() - started < 10


def test_pointers_to_one_directory_are_followed_once(tmp_path):
    directory = struct.pack("<H", 65_535) + struct.pack("<HHII", 0x8769, 4, 1, 8) * 65_535
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0\x08\0\0\0" + directory + bytes(4))
    started = time.process_time()
    read_tags(path)
    assert time.process_time() - started < 10


def test_a_directory_behind_the_end_is_refused():
    with pytest.raises(struct.error):
        refuse_costly_tags(BytesIO(tiff([], link=2**31)))


def test_directories_in_a_circle_are_read_once(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff([(271, 2, 3, 0x00004142), (0x8769, 4, 1, 8)], link=8))
    assert read_tags(path)["0th"][271] == b"BA"


def test_a_photo_of_many_strips_is_read(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.zeros((20_000, 16, 3), np.uint8),
        photometric="rgb",
        rowsperstrip=1,
        extratags=[(271, "s", 0, "Maker", True)],
        metadata=None,
    )
    assert read_tags(path)["0th"][271] == b"Maker"


def test_what_is_not_built_like_a_tiff_is_not_looked_at():
    refuse_costly_tags(BytesIO(b"FUJIFILMCCD-RAW"))
    with pytest.raises(CostlyTagsError):
        refuse_costly_tags(BytesIO(tiff(COSTLY["bytes"])))
