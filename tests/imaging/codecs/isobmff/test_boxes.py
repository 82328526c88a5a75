"""Boxes as ISO/IEC 14496-12 (4.2) lays them out."""

import random
import struct
from io import BytesIO

from enhance_cli.imaging.codecs.isobmff.boxes import box_heads, boxes


def box(draw: random.Random) -> bytes:
    content = draw.randbytes(draw.choice([0, 1, 7, 8, 40]))
    kind = draw.choice([b"ftyp", b"meta", b"mdat", b"uuid"])
    if draw.random() < 0.2:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    size = 8 + len(content)
    if draw.random() < 0.1:
        size = draw.choice([0, 2, 7, size + 5, 2**32 - 1])
    return struct.pack(">I4s", size, kind) + content


def test_heads_are_those_of_the_boxes_whole_or_damaged():
    draw = random.Random(0)
    for _ in range(2000):
        content = b"".join(box(draw) for _ in range(draw.randrange(6)))
        content = content[: len(content) - draw.choice([0, 0, 1, 9])]
        try:
            whole = [(kind, body[:10]) for kind, body in boxes(content)]
        except struct.error:
            continue
        assert list(box_heads(BytesIO(content), 10)) == whole


def test_a_size_beyond_all_files_ends_the_search():
    content = struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1) + b"pixels"
    assert list(box_heads(BytesIO(content), 4)) == [(b"mdat", b"pixe")]


def test_pixels_are_not_read_for_the_heads():
    class Counting(BytesIO):
        taken = 0

        def read(self, size=-1):
            part = super().read(size)
            self.taken += len(part)
            return part

    content = struct.pack(">I4s", 8 + 10**6, b"mdat") + bytes(10**6)
    file = Counting(content + struct.pack(">I4s", 12, b"uuid") + b"mark")
    assert list(box_heads(file, 100)) == [(b"mdat", bytes(100)), (b"uuid", b"mark")]
    assert file.taken < 200
