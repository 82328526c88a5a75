"""Bytes by their positions."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enhance_cli.imaging.containers.source import Source


@given(st.binary(max_size=20), st.integers(0, 2**70), st.integers(-3, 2**70))
def test_memory_and_files_give_the_same(content, start, length):
    expected = content[start:][: max(0, length)]
    for source in (Source(content), Source(memoryview(content)), Source(BytesIO(content))):
        assert source.read(start, length) == expected and source.size == len(content)


@pytest.mark.parametrize("start", [0, 3, 6])
def test_a_file_stays_open_and_is_read_anywhere(tmp_path, start):
    path = tmp_path / "a"
    path.write_bytes(b"abcdef")
    with path.open("rb") as file:
        source = Source(file)
        source.read(5, 1)
        assert source.read(start, 2) == b"abcdef"[start : start + 2]
        assert not file.closed
