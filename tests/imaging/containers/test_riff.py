"""Chunks as RFC 9649 (2.3) lays them out, and as libwebp writes them."""

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import smooth
from PIL import Image

from enhance_cli.imaging.containers.riff import riff_chunks
from enhance_cli.imaging.containers.source import Source

CHUNKS = st.lists(
    st.tuples(st.sampled_from([b"VP8 ", b"EXIF", b"XMP "]), st.binary(max_size=9)), max_size=5
)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + bytes(len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return struct.pack("<4sI", b"RIFF", len(content)) + content


def found_in(content: bytes, *places: int) -> list[tuple[bytes, bytes]]:
    found = list(riff_chunks(Source(content), *places))
    assert list(riff_chunks(Source(BytesIO(content)), *places)) == found
    return [(name, content[start:end]) for name, start, end in found]


@given(CHUNKS)
def test_chunks_of_odd_lengths_are_padded(chunks):
    assert found_in(riff(*(chunk(*one) for one in chunks))) == chunks


@given(CHUNKS)
def test_chunks_within_a_chunk_end_with_it(chunks):
    inner = b"".join(chunk(*one) for one in chunks)
    content = riff(chunk(b"ANMF", bytes(16) + inner), chunk(b"EXIF", b"outside"))
    assert found_in(content, 12 + 8 + 16, 12 + 8 + 16 + len(inner)) == chunks


@pytest.mark.parametrize("length", [7, 2**31, 2**32 - 1])
def test_a_chunk_that_says_it_is_longer_ends_with_the_file(length):
    content = riff(chunk(b"EXIF", b"first"), struct.pack("<4sI", b"VP8 ", length) + b"pixels")
    assert found_in(content) == [(b"EXIF", b"first"), (b"VP8 ", b"pixels")]


@pytest.mark.parametrize("missing", range(1, 8))
def test_a_header_that_is_cut_short_is_none(missing):
    content = riff(chunk(b"EXIF", b"first!"), chunk(b"VP8 ", b""))[:-missing]
    assert found_in(content) == [(b"EXIF", b"first!")]


@given(st.binary(max_size=100))
def test_chunks_of_anything_follow_each_other(content):
    at = 12
    for found in riff_chunks(Source(content)):
        assert at + 8 <= found.start <= found.end <= len(content)
        at = found.end


def test_those_of_libwebp():
    with BytesIO() as file:
        Image.fromarray(smooth(31, 21)).save(file, "WEBP", exif=b"II*\0odd", icc_profile=bytes(128))
        found = found_in(file.getvalue())
    assert [name for name, _ in found] == [b"VP8X", b"ICCP", b"VP8 ", b"EXIF"]
    assert dict(found)[b"EXIF"] == b"II*\0odd" and dict(found)[b"ICCP"] == bytes(128)
