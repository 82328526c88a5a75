"""Side outputs of later runs."""

import pytest

from enhance_cli.batch.outcome import Status


def test_missing_side_outputs_are_written_by_a_later_run(tmp_path, run, write_photo):
    path = write_photo(tmp_path / "a.png")
    run(path)
    (again,) = run(path, lut=tmp_path / "luts", compare=tmp_path / "seen")
    assert again.status is Status.DONE
    assert (tmp_path / "luts" / "a.png.cube").exists()
    (third,) = run(path, lut=tmp_path / "luts", compare=tmp_path / "seen")
    assert third.status is Status.SKIPPED


@pytest.mark.parametrize("long_edge", [20, None])
def test_side_outputs_of_a_later_run_leave_results_as_they_are(
    tmp_path, run, write_photo, long_edge
):
    """They are the same as those of a run that writes everything at once."""
    path = write_photo(tmp_path / "a.png")
    result, places = tmp_path / "out" / "a.png", {"lut": "luts", "compare": "seen"}
    at_once = {option: tmp_path / "at once" / name for option, name in places.items()}
    run(path, long_edge=long_edge, **at_once)
    result.unlink()
    run(path, long_edge=long_edge)
    before = result.read_bytes(), result.stat().st_mtime_ns, result.stat().st_ino
    (again,) = run(path, long_edge=long_edge, **{o: tmp_path / n for o, n in places.items()})
    assert again.status is Status.DONE and again.warnings == ()
    assert (result.read_bytes(), result.stat().st_mtime_ns, result.stat().st_ino) == before
    for name in ("luts/a.png.cube", "seen/a.png.jpg"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "at once" / name).read_bytes()
