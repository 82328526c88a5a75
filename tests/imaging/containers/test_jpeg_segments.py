"""Segments as ITU-T T.81 (B.1.1) lays them out, and as libjpeg writes and reads them."""

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import smooth
from PIL import Image

from enhance_cli.imaging.containers.jpeg_segments import build_segment, jpeg_segments
from enhance_cli.imaging.containers.source import Source

SOI, FIRST_SCAN = b"\xff\xd8", b"\xff\xda\0\3\1"
TAIL = (0xE1, b"behind the first scan")
SEGMENTS = st.lists(
    st.tuples(st.sampled_from([0xC0, 0xC4, 0xDB, 0xE1, 0xE2, 0xFE]), st.binary(max_size=30)),
    max_size=5,
)
BETWEEN = st.sampled_from(
    [b"", b"\xff", b"\xff\xff\xff", b"\0\1\2", b"\xff\0", b"\xff\xd0", b"\xff\1"]
)
"""Filling; and what libjpeg passes over with a warning, or without."""


def found_in(content: bytes, start: int = 0) -> list[tuple[int, bytes]]:
    found = list(jpeg_segments(Source(content), start))
    assert list(jpeg_segments(Source(BytesIO(content)), start)) == found
    assert all(content[one.at] == 0xFF and content[one.at + 1] == one.marker for one in found)
    return [(one.marker, content[one.start : one.end]) for one in found]


@given(SEGMENTS, BETWEEN, st.binary(max_size=9))
def test_what_stands_between_segments_is_passed_over(segments, between, before):
    parts = [between + build_segment(*one) for one in segments]
    content = (
        before + SOI + b"".join(parts) + between + FIRST_SCAN + b"pixels" + build_segment(*TAIL)
    )
    assert found_in(content, len(before)) == [*segments, (0xDA, b"\1")]


def test_they_end_with_the_first_scan_or_the_end_of_the_picture():
    for last in (FIRST_SCAN, b"\xff\xd9"):
        content = SOI + build_segment(0xE0, b"JFIF") + last + build_segment(*TAIL)
        assert found_in(content)[0] == (0xE0, b"JFIF") and TAIL not in found_in(content)


@pytest.mark.parametrize("length", [0, 1, 2])
def test_a_length_that_is_too_short_counts_as_none(length):
    content = SOI + struct.pack(">BBH", 0xFF, 0xE1, length) + build_segment(0xFE, b"note")
    assert found_in(content) == [(0xE1, b""), (0xFE, b"note")]


def test_a_segment_that_is_cut_short_ends_with_the_file():
    assert found_in(SOI + build_segment(0xE1, b"content")[:-3]) == [(0xE1, b"cont")]


@pytest.mark.parametrize("content", [b"", b"\xff", SOI, SOI + b"\xff", SOI + b"\xff\xe1\0"])
def test_there_may_be_none(content):
    assert found_in(content) == []


def test_a_place_without_a_jpeg_has_none():
    assert found_in(b"GIF89a" + build_segment(0xE1, b"content")) == []


@given(st.binary(max_size=200))
def test_segments_of_anything_follow_each_other(rest):
    at = 2
    for found in jpeg_segments(Source(SOI + rest)):
        assert at <= found.at < found.start <= found.end
        at = found.end


def test_junk_between_segments_may_be_long():
    content = SOI + bytes(200_000) + b"\xff" * 70_000 + build_segment(0xFE, b"note")
    assert found_in(content) == [(0xFE, b"note")]


def test_those_of_libjpeg():
    with BytesIO() as file:
        Image.fromarray(smooth(31, 21)).save(file, "JPEG", exif=b"Exif\0\0II*\0", comment=b"note")
        content = file.getvalue()
    found = found_in(content)
    assert [marker for marker, _ in found if marker >= 0xE0 or marker in {0xC0, 0xDA}] == [
        0xE0, 0xE1, 0xFE, 0xC0, 0xDA,
    ]  # fmt: skip
    height, width = struct.unpack_from(">HH", dict(found)[0xC0], 1)
    assert (width, height) == (31, 21)


def test_the_longest_segment():
    assert len(build_segment(0xE1, bytes(65_533))) == 2 + 65_535
    with pytest.raises(ValueError, match="too long"):
        build_segment(0xE1, bytes(65_534))
