import os
import shutil

import numpy as np
import pytest
import torch
from pictures import scene
from PIL import Image
from skimage import data

from enhance_cli.data.pair_cache import PairCache, render_pair
from enhance_cli.data.pairs import Pair, find_pairs
from enhance_cli.errors import OutputError, PairsError, PhotoError


@pytest.fixture
def pairs(write_pairs):
    return list(find_pairs(write_pairs()).pairs)


def rendered(cache, pairs):
    return list(cache.render(cache.missing(pairs)))


def test_rendered_pairs_show_what_their_sources_show(tmp_path, pairs):
    cache = PairCache(tmp_path / "cache")
    progress = rendered(cache, pairs)
    assert [one.done for one in progress] == [1, 2, 3, 4] and not any(p.bad for p in progress)
    again = PairCache(tmp_path / "cache")
    assert again.missing(pairs) == []
    for pair in pairs:
        original, expert = again.load(pair).permute(0, 2, 3, 1).numpy()
        assert np.array_equal(original, np.asarray(Image.open(pair.original)))
        assert np.array_equal(expert, np.asarray(Image.open(pair.expert)))


def test_a_rendered_pair_is_an_image_that_anyone_can_open(tmp_path, pairs):
    cache = PairCache(tmp_path)
    rendered(cache, pairs[:1])
    with Image.open(cache.path(pairs[0])) as sheet:
        assert sheet.size == (96, 32) and cache.path(pairs[0]).name.startswith("a0001-")


def test_shared_pairs_are_in_memory_as_far_as_they_fit(tmp_path, pairs):
    two = 2 * 2 * 3 * 32 * 48
    cache = PairCache(tmp_path, memory=two)
    rendered(cache, pairs)
    cache.share(pairs, readers=2)
    expected = [PairCache(tmp_path).load(pair) for pair in pairs]
    shutil.rmtree(tmp_path)
    assert all(torch.equal(cache.load(pair), expected[i]) for i, pair in enumerate(pairs[:2]))
    with pytest.raises(PhotoError):
        cache.load(pairs[2])


def test_large_photos_are_downscaled(tmp_path, write_photo):
    pair = Pair("a", None, write_photo(tmp_path / "a.png", size=(900, 600)))
    assert PairCache(tmp_path / "c").load(pair).shape == (1, 3, 333, 500)
    assert PairCache(tmp_path / "c", 60).load(pair).shape == (1, 3, 40, 60)


def test_rendered_pairs_do_not_need_their_sources(tmp_path, pairs):
    cache = PairCache(tmp_path / "cache", memory=0)
    rendered(cache, pairs)
    for pair in pairs:
        pair.original.write_bytes(b"gone bad since")
    for pair in pairs:
        assert cache.load(pair).shape == (2, 3, 32, 48)


def test_a_pair_whose_source_has_changed_is_rendered_again(tmp_path, pairs, write_photo):
    rendered(PairCache(tmp_path), pairs)
    write_photo(pairs[1].expert, np.asarray(Image.open(pairs[1].original)))
    os.utime(pairs[2].original, (1, 1))
    cache = PairCache(tmp_path)
    assert cache.missing(pairs) == [pairs[1], pairs[2]]
    both = cache.load(pairs[1])
    assert (both[0] == both[1]).all()


def test_an_interrupted_rendering_continues(tmp_path, pairs):
    running = PairCache(tmp_path).render(pairs)
    next(running)
    running.close()  # as Ctrl-C does
    left = PairCache(tmp_path).missing(pairs)
    assert len(left) < 4
    assert len(rendered(PairCache(tmp_path), pairs)) == len(left)
    assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob(".*"))


def test_a_damaged_image_is_rendered_again(tmp_path, pairs):
    cache = PairCache(tmp_path)
    rendered(cache, pairs)
    whole = cache.path(pairs[0]).read_bytes()
    cache.path(pairs[0]).write_bytes(whole[: len(whole) // 2])
    assert PairCache(tmp_path).load(pairs[0]).shape == (2, 3, 32, 48)
    assert Image.open(cache.path(pairs[0])).size == (96, 32)


def test_the_estimated_cost_is_an_upper_bound(tmp_path, coffee, write_photo):
    expert = write_photo(tmp_path / "expert.png", coffee)
    original = write_photo(tmp_path / "original.png", coffee // 2)
    pair = Pair("coffee", original, expert)
    cache = PairCache(tmp_path / "cache")
    assert cache.cost([pair]) < 1_000_000
    cache.load(pair)
    spent = cache.path(pair).stat().st_size
    assert 0.4 * cache.cost([pair]) < spent < cache.cost([pair])


def test_a_disk_without_room_stops_the_run_before_it_starts(tmp_path, pairs, monkeypatch):
    usage = type(shutil.disk_usage(tmp_path))(10**9, 10**9 - 1000, 1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match=r"0.00 GB are free; make room or .* --cache-dir"):
        PairCache(tmp_path).check_room(pairs)


class TestMismatched:
    def test_photos_of_different_sizes(self, tmp_path, write_photo):
        one = write_photo(tmp_path / "1.png", size=(30, 20))
        other = write_photo(tmp_path / "2.png", size=(30, 21))
        with pytest.raises(PairsError, match=r"30 x 20.*30 x 21"):
            render_pair(Pair("a0007", one, other))

    def test_sizes_that_differ_by_rounding_match(self, tmp_path, write_photo):
        one = write_photo(tmp_path / "1.png", scene(1, 1200, 800))
        other = write_photo(tmp_path / "2.png", scene(1, 1204, 801))
        assert render_pair(Pair("a0007", one, other)).shape[0] == 2

    def test_different_photos(self, tmp_path, write_photo):
        one = write_photo(tmp_path / "1.png", data.coffee()[:300, :400])
        other = write_photo(tmp_path / "2.png", data.astronaut()[:300, :400])
        with pytest.raises(PairsError, match="different photos"):
            render_pair(Pair("a0007", one, other))

    def test_bad_pairs_are_reported_and_the_others_rendered(self, tmp_path, pairs):
        pairs[1].expert.write_bytes(b"no photo")
        pairs[2].original.unlink()
        progress = rendered(PairCache(tmp_path), pairs)
        bad = {one.bad.key for one in progress if one.bad}
        assert bad == {"a0002", "a0003"} and len(progress) == 4

    def test_a_missing_source(self, tmp_path):
        with pytest.raises(PhotoError, match="gone"):
            PairCache(tmp_path).load(Pair("a", None, tmp_path / "gone.png"))


def test_a_raw_photo_and_its_expert_version_get_one_size(tmp_path, write_dng, write_prophoto):
    """LibRaw crops a different border than the expert's software."""
    photo = scene(3, 120, 80)
    dng = write_dng(tmp_path / "a0001.dng", photo)
    tiff = write_prophoto(tmp_path / "a0001.tif", photo[1:-1, 1:-1])
    original, expert = render_pair(Pair("a0001", dng, tiff))
    assert original.shape == expert.shape == (78, 118, 3)
