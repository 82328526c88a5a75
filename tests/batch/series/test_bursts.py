from pathlib import Path

import pytest

from enhance_cli.batch.series import bursts
from enhance_cli.batch.series.bursts import When, digest_of, find_bursts, in_parts


def found(times, gap=60.0, sources=None):
    photos = [Path(str(number)) for number in range(len(times))]
    sources = sources or ["one"] * len(times)
    when = {p: When((s,), t) for p, s, t in zip(photos, sources, times, strict=True)}
    return [[int(str(p)) for p in burst] for burst in find_bursts(photos, gap, when.__getitem__)]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 60, 120], [[0, 1, 2]]),  # each within the gap from the one before
        ([0, 60.5, 61], [[1, 2]]),
        ([5, 0, 3], [[1, 2, 0]]),  # in the order in which they were taken
        ([None, 0, None, 1], [[1, 3]]),
        ([0, 1000, 2000], []),
        ([7, 7, 7], [[0, 1, 2]]),
    ],
)
def test_photos_are_divided_by_gaps(times, expected):
    assert found(times) == expected


def test_cameras_and_folders_are_kept_apart():
    assert found([0, 1, 2, 3], sources=["a", "b", "a", "b"]) == [[0, 2], [1, 3]]


def test_a_gap_may_be_nothing():
    assert found([0, 0, 1], gap=0) == [[0, 1]]


def test_a_long_burst_is_cut_so_that_memory_stays(monkeypatch):
    monkeypatch.setattr(bursts, "MOST_FRAMES", 4)
    assert found(list(range(9))) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert in_parts([]) == []


def test_a_digest_tells_other_content_and_does_not_depend_on_order(tmp_path):
    one, other = tmp_path / "a", tmp_path / "b"
    one.write_text("1")
    other.write_text("2")
    digest = digest_of([one, other])
    assert digest == digest_of([other, one]) != digest_of([one])
    other.write_text("3")
    assert digest != digest_of([one, other])
