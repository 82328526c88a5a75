from pathlib import Path

import pytest

from enhance_cli.batch.series.looks import Member, SharedLooks, from_record, without_burst

A, B, C, D = (Path(name) for name in "abcd")


def test_series_are_numbered_in_the_order_of_the_photos():
    looks = SharedLooks()
    looks.set({A: Member("x", "2nd"), B: Member("x"), C: Member("x", "1st")}, [C, D, B, A])
    assert [looks.number(photo) for photo in (A, B, C, D)] == [2, None, 1, None]
    assert [looks.suffix(photo) for photo in (A, B, D)] == ["~x~2nd", "~x~alone", ""]


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ("base", "base~x~alone"),
        ("base/33", "base~x~alone/33"),
        ("base~x~1st", "base~y~1st"),
        ("base~x~1st/33", "base~y~1st/33"),
    ],
)
def test_results_depend_on_the_series_and_not_on_what_was_compared(settings, same):
    assert without_burst(settings) == without_burst(same)


def test_results_of_another_series_differ():
    assert len({without_burst(s) for s in ("base", "base~x~1st", "base~x~2nd", "base~x~?")}) == 4


@pytest.mark.parametrize(
    ("settings", "series"),
    [
        ("base~x~1st", "1st"),
        ("base~x~alone", "alone"),
        ("base~y~1st", "?"),  # photos have come or gone
        ("other~x~1st", "?"),
        ("base", "?"),
        ("", "?"),
    ],
)
def test_a_record_tells_what_an_earlier_run_found(settings, series):
    assert from_record("x", settings, "base") == Member("x", series)
