import pytest

from enhance_cli.atomic_write import atomic_write


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interruption_leaves_the_old_file_and_no_temporary_file(tmp_path, interruption):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(interruption), atomic_write(path) as temporary:
        temporary.write_text("ha")
        raise interruption
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_name_of_the_greatest_length(tmp_path):
    path = tmp_path / ("n" * 251 + ".txt")
    with atomic_write(path) as temporary:
        temporary.touch()
    assert path.exists()
