"""Records of results are read as they were written, and nothing else is taken for one."""

import pytest

from enhance_cli.atomic_write import FileSignature
from enhance_cli.run_records import Record, line_of, parsed, results_passed_over

SIGNATURE = FileSignature(10, 1_700_000_000_000_000_000, 7)


@pytest.mark.parametrize("name", ["a.jpg", "b\udcff.jpg", "new\nline.jpg", "\u2028.jpg", "e\u0301"])
@pytest.mark.parametrize("beside", [False, True])
def test_a_record_is_one_line_of_ascii(name, beside):
    record = Record(name, "f" * 16, SIGNATURE, "c", "s", f"day/{name}", SIGNATURE, 3, beside)
    line = line_of(record)
    assert line.isascii() and line.count(b"\n") == 1 and line.endswith(b"\n")
    assert parsed(line) == record


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"null", b"3", b"{}", b"[" * 99_999, b"\xff"])
def test_what_is_no_record(line):
    assert parsed(line) is None


def test_one_is_told_of_in_the_singular():
    assert results_passed_over(1) == "1 result of an earlier run was passed over"
    assert results_passed_over(2) == "2 results of earlier runs were passed over"
