"""When it is a photo's turn; the clock is the test's own."""

import pytest

from enhance_cli.batch.watch.settling import PATIENCE, Settling


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def settling(clock):
    return Settling(2.0, clock)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1")
    return path


def test_a_photo_counts_once_it_was_still(settling, clock, photo):
    assert not settling.look([photo]) and settling.wait() == 2
    clock.now += 1.9
    assert not settling.look([photo])
    clock.now += 0.1
    assert settling.look([photo]) == {photo}
    settling.done(photo)
    clock.now += 100
    assert not settling.look([photo]) and settling.wait() is None


def test_one_that_grows_does_not(settling, clock, photo):
    for number in range(5):
        photo.write_bytes(b"1" * (number + 2))
        assert not settling.look([photo])
        clock.now += 1.9
    clock.now += 0.1
    assert settling.look([photo]) == {photo}


def test_one_that_changes_counts_again(settling, clock, photo):
    settling.look([photo])
    clock.now += 2
    settling.look([photo])
    settling.done(photo)
    photo.write_bytes(b"other")
    assert not settling.look([photo])
    clock.now += 2
    assert settling.look([photo]) == {photo}


def test_one_that_cannot_be_read_is_told_after_a_longer_while(settling, clock, photo):
    settling.look([photo])
    clock.now += 2
    assert settling.look([photo]) and not settling.failed(photo)
    clock.now += 2
    assert not settling.look([photo])
    clock.now += 2 * PATIENCE - 4
    assert settling.look([photo]) and settling.failed(photo)
    clock.now += 1000
    assert not settling.look([photo]) and settling.wait() is None
    photo.write_bytes(b"complete")
    settling.look([photo])
    clock.now += 2
    assert settling.look([photo]) and not settling.failed(photo)


def test_what_changed_while_it_was_read_has_not_failed(settling, clock, photo):
    settling.look([photo])
    clock.now += 20
    settling.look([photo])
    for _ in range(3):
        photo.write_bytes(photo.read_bytes() + b"more")
        assert not settling.failed(photo)
    photo.unlink()
    assert not settling.failed(photo)


def test_photos_that_have_gone_are_forgotten(settling, tmp_path):
    for number in range(100):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(b"1")
        settling.look([path])
        path.unlink()
    assert not settling.look([tmp_path / "0.jpg"])
    assert settling._seen == {}
