"""Boxes as ISO/IEC 14496-12 (4.2) lays them out."""

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enhance_cli.imaging.containers.boxes import Box, boxes, end_of_boxes, find_boxes
from enhance_cli.imaging.containers.source import Source


def box(kind: bytes, content: bytes, *, large: bool = False) -> bytes:
    if large:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content), kind) + content


KINDS = st.sampled_from([b"ftyp", b"meta", b"mdat", b"uuid"])
CONTENTS = st.lists(st.tuples(KINDS, st.binary(max_size=40), st.booleans()), max_size=5)


@given(CONTENTS)
def test_boxes_are_found_in_bytes_and_in_files(contents):
    content = b"".join(box(kind, body, large=large) for kind, body, large in contents)
    assert list(boxes(content)) == [(kind, body) for kind, body, _ in contents]
    source = Source(BytesIO(content))
    assert list(find_boxes(source)) == list(find_boxes(Source(content)))
    assert end_of_boxes(source) == len(content)


@given(CONTENTS, st.binary(max_size=40))
def test_a_size_of_zero_reaches_to_the_end(contents, rest):
    content = b"".join(box(kind, body, large=large) for kind, body, large in contents)
    last = struct.pack(">I4s", 0, b"mdat") + rest
    assert list(boxes(content + last))[len(contents) :] == [(b"mdat", rest)]
    assert end_of_boxes(Source(content + last)) == len(content + last)


@pytest.mark.parametrize("size", [2, 7, 2**32 - 1])
@pytest.mark.parametrize("follows", [b"", b"rest", box(b"uuid", b"mark")])
def test_a_damaged_size_ends_the_search(size, follows):
    first = box(b"ftyp", b"avif")
    content = first + struct.pack(">I4s", size, b"mdat") + follows
    found = list(boxes(content))
    assert found[0] == (b"ftyp", b"avif")
    assert found[1:] == ([(b"mdat", follows)] if size > 8 else [])


@pytest.mark.parametrize("size", [0, 15, 2**63, 2**64 - 1])
def test_so_does_a_damaged_large_size(size):
    content = struct.pack(">I4sQ", 1, b"mdat", size) + b"pixels"
    assert list(boxes(content)) == ([(b"mdat", b"pixels")] if size > 16 else [])
    assert list(find_boxes(Source(BytesIO(content)))) == list(find_boxes(Source(content)))


@given(CONTENTS, st.integers(1, 20))
def test_a_file_that_is_cut_short_has_the_boxes_in_front(contents, missing):
    content = b"".join(box(kind, body, large=large) for kind, body, large in contents)
    whole, cut = list(boxes(content)), list(boxes(content[: max(0, len(content) - missing)]))
    assert all(kind == whole[n][0] for n, (kind, _) in enumerate(cut))
    assert all(whole[n][1].startswith(body) for n, (_, body) in enumerate(cut))


def test_the_end_may_lie_behind_that_of_the_file():
    content = box(b"ftyp", b"crx ") + box(b"mdat", bytes(100))
    assert end_of_boxes(Source(content[:-30])) == len(content)


@given(st.binary(max_size=200))
def test_boxes_of_anything_follow_each_other(content):
    at = 0
    for found in find_boxes(Source(BytesIO(content))):
        assert at + 8 <= found.start <= found.end
        at = found.end


def test_contents_are_not_read():
    class Counting(BytesIO):
        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            part = super().read(size)
            self.taken += len(part)
            return part

    file = Counting(box(b"mdat", bytes(10**6)) + box(b"uuid", b"mark"))
    first, second = find_boxes(Source(file))
    assert first == Box(b"mdat", 8, 8 + 10**6) and second.kind == b"uuid"
    assert file.taken < 100
