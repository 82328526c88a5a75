import os
import shutil

import numpy as np
import pytest
from pictures import scene
from PIL import Image
from skimage import data

from enhance_cli.data.pair_cache import PairCache, render_pair
from enhance_cli.data.pairs import Pair, find_pairs
from enhance_cli.errors import OutputError, PairsError, PhotoError


@pytest.fixture
def pairs(write_pairs):
    return list(find_pairs(write_pairs()).pairs)


def rendered(store, pairs):
    return list(store.render(store.missing(pairs)))


def test_what_is_prepared_is_what_the_sources_show(tmp_path, pairs):
    store = PairCache(tmp_path / "cache")
    progress = rendered(store, pairs)
    assert [one.done for one in progress] == [1, 2, 3, 4] and not any(p.bad for p in progress)
    again = PairCache(tmp_path / "cache")
    assert again.missing(pairs) == []
    for pair in pairs:
        original, expert = again.load(pair).permute(0, 2, 3, 1).numpy()
        assert np.array_equal(original, np.asarray(Image.open(pair.original)))
        assert np.array_equal(expert, np.asarray(Image.open(pair.expert)))


def test_a_prepared_pair_is_a_picture_to_look_at(tmp_path, pairs):
    store = PairCache(tmp_path)
    rendered(store, pairs[:1])
    with Image.open(store.path(pairs[0])) as sheet:
        assert sheet.size == (96, 32) and store.path(pairs[0]).name.startswith("a0001-")


def test_large_photos_are_brought_to_the_size_asked_for(tmp_path, write_photo):
    pair = Pair("a", None, write_photo(tmp_path / "a.png", size=(900, 600)))
    assert PairCache(tmp_path / "c").load(pair).shape == (1, 3, 333, 500)
    assert PairCache(tmp_path / "c", 60).load(pair).shape == (1, 3, 40, 60)


def test_epochs_touch_no_source(tmp_path, pairs):
    store = PairCache(tmp_path / "cache", memory=0)
    rendered(store, pairs)
    for pair in pairs:
        pair.original.write_bytes(b"gone bad since")
    for pair in pairs:
        assert store.load(pair).shape == (2, 3, 32, 48)


def test_a_changed_source_is_prepared_anew(tmp_path, pairs, write_photo):
    rendered(PairCache(tmp_path), pairs)
    write_photo(pairs[1].expert, np.asarray(Image.open(pairs[1].original)))
    os.utime(pairs[2].original, (1, 1))
    store = PairCache(tmp_path)
    assert store.missing(pairs) == [pairs[1], pairs[2]]
    both = store.load(pairs[1])
    assert (both[0] == both[1]).all()


def test_an_interrupted_preparation_goes_on(tmp_path, pairs):
    running = PairCache(tmp_path).render(pairs)
    next(running)
    running.close()  # what Ctrl-C comes to
    left = PairCache(tmp_path).missing(pairs)
    assert len(left) < 4
    assert len(rendered(PairCache(tmp_path), pairs)) == len(left)
    assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob(".*"))


def test_a_damaged_picture_is_made_anew(tmp_path, pairs):
    store = PairCache(tmp_path)
    rendered(store, pairs)
    whole = store.path(pairs[0]).read_bytes()
    store.path(pairs[0]).write_bytes(whole[: len(whole) // 2])
    assert PairCache(tmp_path).load(pairs[0]).shape == (2, 3, 32, 48)
    assert Image.open(store.path(pairs[0])).size == (96, 32)


def test_the_cost_is_said_before_and_holds(tmp_path, coffee, write_photo):
    expert = write_photo(tmp_path / "expert.png", coffee)
    original = write_photo(tmp_path / "original.png", coffee // 2)
    pair = Pair("coffee", original, expert)
    store = PairCache(tmp_path / "cache")
    assert store.cost([pair]) < 1_000_000
    store.load(pair)
    spent = store.path(pair).stat().st_size
    assert 0.4 * store.cost([pair]) < spent < store.cost([pair])


def test_a_disk_without_room_stops_the_run_before_it_starts(tmp_path, pairs, monkeypatch):
    usage = type(shutil.disk_usage(tmp_path))(10**9, 10**9 - 1000, 1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match=r"0.00 GB are free; make room or .* --cache-dir"):
        PairCache(tmp_path).check_room(pairs)


class TestMismatched:
    def test_other_sizes(self, tmp_path, write_photo):
        one = write_photo(tmp_path / "1.png", size=(30, 20))
        other = write_photo(tmp_path / "2.png", size=(30, 21))
        with pytest.raises(PairsError, match=r"30 x 20.*30 x 21"):
            render_pair(Pair("a0007", one, other))

    def test_a_pair_that_was_resized_apart_is_none(self, tmp_path, write_photo):
        one = write_photo(tmp_path / "1.png", scene(1, 1200, 800))
        other = write_photo(tmp_path / "2.png", scene(1, 1204, 801))
        assert render_pair(Pair("a0007", one, other)).shape[0] == 2

    def test_another_photo(self, tmp_path, write_photo):
        one = write_photo(tmp_path / "1.png", data.coffee()[:300, :400])
        other = write_photo(tmp_path / "2.png", data.astronaut()[:300, :400])
        with pytest.raises(PairsError, match="different photos"):
            render_pair(Pair("a0007", one, other))

    def test_each_is_told_and_the_others_are_rendered(self, tmp_path, pairs):
        pairs[1].expert.write_bytes(b"no photo")
        pairs[2].original.unlink()
        progress = rendered(PairCache(tmp_path), pairs)
        bad = {one.bad.key for one in progress if one.bad}
        assert bad == {"a0002", "a0003"} and len(progress) == 4

    def test_a_source_that_is_gone(self, tmp_path):
        with pytest.raises(PhotoError, match="gone"):
            PairCache(tmp_path).load(Pair("a", None, tmp_path / "gone.png"))


def test_a_raw_and_its_expert_meet_at_one_size(tmp_path, write_dng, write_prophoto):
    """The developer crops another border than the expert's software."""
    photo = scene(3, 120, 80)
    dng = write_dng(tmp_path / "a0001.dng", photo)
    tiff = write_prophoto(tmp_path / "a0001.tif", photo[1:-1, 1:-1])
    original, expert = render_pair(Pair("a0001", dng, tiff))
    assert original.shape == expert.shape == (78, 118, 3)
