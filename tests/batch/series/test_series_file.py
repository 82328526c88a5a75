from pathlib import Path

import pytest

from enhance_cli.batch.series.series_file import read_series_file
from enhance_cli.errors import UsageError

PHOTOS = [
    Path("/shoot") / name for name in ("a1.jpg", "a2.jpg", "b 1.jpg", "church/c.nef", "d.jpg")
]


def read(tmp_path, text):
    path = tmp_path / "series.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_series_file(path, PHOTOS)


def test_a_line_names_the_photos_of_a_series(tmp_path):
    text = '# by hand\na?.jpg "b 1.jpg"  # two and one\n\n./church/*.nef d.jpg\n'
    assert read(tmp_path, text) == ([[0, 1, 2], [3, 4]], [])


@pytest.mark.parametrize("pattern", ["d.jpg", "shoot/d.jpg", "/shoot/d.jpg", "*/d.*"])
def test_a_name_may_have_folders(tmp_path, pattern):
    assert read(tmp_path, pattern)[0] == [[4]]


def test_names_may_be_relative_patterns_absolute_and_names_hold_brackets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "series.txt"
    path.write_text(f"'{tmp_path}/in/*'\n'b [1].jpg'\n")
    photos = [Path("in/a.jpg"), Path("other/b [1].jpg")]
    assert read_series_file(path, photos) == ([[0], [1]], [])


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbfa1.jpg a2.jpg\r\nd.jpg\r\n")[0] == [[0, 1], [4]]


def test_a_pattern_that_fits_nothing_is_named(tmp_path):
    series, warnings = read(tmp_path, "\na1.jpg gone.jpg")
    assert series == [[0]]
    assert len(warnings) == 1 and "line 2: gone.jpg fits no photo" in warnings[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a1.jpg\na*", "line 2: .*a1.jpg is in the series of line 1"),
        ("'a1.jpg", "line 1: No closing quotation"),
        (b"\xff\xfe\x00a", "UTF-8"),
    ],
)
def test_what_is_wrong_is_said_with_the_line(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        read(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="give auto, off, or a text file"):
        read_series_file(tmp_path / "gone.txt", PHOTOS)
