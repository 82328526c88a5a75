import math
import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from enhance_cli.data.dataset import (
    BALANCE_FOLLOWS,
    EXPOSURE_FOLLOWS,
    Framing,
    PairDataset,
    Turn,
    View,
    draw_jitter,
    epoch_turns,
    frame,
    matted,
    plain,
    shuffled,
)
from enhance_cli.data.pairs import find_pairs, find_photos
from enhance_cli.data.prepared import PreparedPairs


@pytest.fixture
def dataset(write_pairs, tmp_path):
    def make(framing, size=(48, 32), **options) -> PairDataset:
        pairs = list(find_pairs(write_pairs(size=size)).pairs)
        return PairDataset(pairs, PreparedPairs(tmp_path / "cache"), framing, **options)

    return make


def test_padding_is_black_and_masked_out(dataset):
    padded = dataset(Framing(64))
    sample = padded[Turn(0, 1)]
    assert sample.original.shape == sample.expert.shape == (3, 64, 64)
    assert sample.mask.sum() == 48 * 32 and sample.mask[:, :32, :48].all()
    assert not sample.original[:, 32:].any() and not sample.original[:, :, 48:].any()
    original, expert = padded.store.load(padded.pairs[1])
    torch.testing.assert_close(sample.original[:, :32, :48], original / 255)
    torch.testing.assert_close(sample.expert[:, :32, :48], expert / 255)


@pytest.mark.parametrize("keep_aspect", [True, False])
def test_both_photos_of_a_pair_are_cut_alike(dataset, keep_aspect):
    framing = Framing(24, crop=True, zoom=0.4, keep_aspect=keep_aspect, flip=True, rotate=True)
    cut = dataset(framing)
    for epoch in range(6):
        sample = cut[Turn(epoch, 0)]
        difference = sample.expert - sample.original
        torch.testing.assert_close(difference, torch.full_like(difference, 25 / 255))
        assert sample.mask.all()


def test_photos_are_seen_all_eight_ways(dataset):
    whole = dataset(Framing(48, flip=True, rotate=True))
    photo = whole.store.load(whole.pairs[0])[0] / 255
    ways = [one.rot90(k, (1, 2)) for one in (photo, photo.flip(2)) for k in range(4)]
    seen = set()
    for epoch in range(100):
        sample = whole[Turn(epoch, 0)]
        rows, columns = sample.mask.any(2).sum(), sample.mask.any(1).sum()
        part = sample.original[:, :rows, :columns]
        seen |= {k for k, way in enumerate(ways) if part.shape == way.shape and part.equal(way)}
    assert seen == set(range(8))


def test_what_is_drawn_depends_on_seed_and_turn_alone(dataset):
    framing = Framing(24, crop=True, zoom=0.4, flip=True)
    one, other = (dataset(framing, finished_share=0.5, seed=3) for _ in range(2))
    random.seed(1)
    _ = one[Turn(0, 0)], one[Turn(0, 1)]
    for got, expected in zip(one[Turn(0, 2)], other[Turn(0, 2)], strict=True):
        assert torch.equal(got, expected)
    for turn in (Turn(1, 2), Turn(0, 2, 1)):
        assert not torch.equal(one[Turn(0, 2)].original, other[turn].original)


def test_worker_processes_draw_the_same(dataset):
    samples = dataset(Framing(24, crop=True, zoom=0.4, flip=True))
    turns = [[Turn(epoch, number) for number in range(4)] for epoch in range(2)]
    here, there = (
        list(DataLoader(samples, batch_sampler=turns, num_workers=workers)) for workers in (0, 1)
    )
    for one, other in zip(here, there, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_share_of_the_samples_is_finished_on_both_sides(dataset):
    some = dataset(Framing(64), finished_share=0.5)
    turns = [Turn(epoch, number) for epoch in range(50) for number in range(4)]
    finished = sum(torch.equal(some[turn].original, some[turn].expert) for turn in turns)
    assert 70 < finished < 130


def test_a_crop_without_zoom_is_the_whole_photo():
    photos = torch.rand(2, 3, 30, 30)
    squares, _ = frame(photos, Framing(30, crop=True), random.Random(0))
    torch.testing.assert_close(squares, photos)


def test_small_squares_come_from_halved_photos_and_look_the_same(tmp_path, coffee, write_photo):
    write_photo(tmp_path / "photos" / "a.png", coffee)
    found = list(find_photos(tmp_path / "photos").pairs)
    store = PreparedPairs(tmp_path / "cache")
    framing = Framing(64, crop=True, zoom=0.8)  # 500 x 333: at least 266 px, twice halved 66
    samples = PairDataset(found, store, framing, finished_share=1.0)
    halved = store.load(found[0], 2)
    assert halved.shape == (1, 3, 84, 125)
    expected = F.avg_pool2d(
        store.load(found[0]).float(), 4, ceil_mode=True, count_include_pad=False
    )
    assert (halved - expected).abs().max() <= 1.5  # rounded twice

    whole = samples.store.load(found[0]).float() / 255
    small = F.interpolate(whole, (84, 125), mode="bilinear", antialias=True)
    assert (halved / 255 - small).abs().mean() < 0.02
    assert samples[Turn(0, 0)].expert.shape == (3, 64, 64)


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_the_view_shows_the_whole_original_as_cenet_sees_it(dataset, fit):
    sample = dataset(Framing(16, crop=True, zoom=0.3, view=View(64, fit)))[Turn(0, 0)]
    assert sample.view.shape == (3, 64, 64)
    plain = dataset(Framing(64, crop=fit == "squash", keep_aspect=False))[Turn(0, 0)]
    torch.testing.assert_close(sample.view, plain.original)


def jittered(photos: torch.Tensor, stops: float, draw: random.Random) -> torch.Tensor:
    change = draw_jitter(stops, draw)
    return torch.stack([change.original(photos[0]), change.expert(photos[1])])


class TestBlend:
    @pytest.fixture
    def versions(self, write_photo, tmp_path):
        """Three versions of one photo, plain grey before and after, and a photo without any."""
        for name, before, after in (("a", 40, 60), ("b", 80, 140), ("c", 120, 100), ("d", 20, 30)):
            for folder, level in (("input", before), ("expert", after)):
                plain = np.full((24, 24, 3), level, np.uint8)
                write_photo(tmp_path / "in" / folder / f"{name}.png", plain)
        (tmp_path / "in" / "list.csv").write_text(
            "file,source,kind\na.png,x.jpg,one\nb.png,x.jpg,two\nc.png,x.jpg,three\nd.png,y.jpg,\n"
        )

        def make(**options) -> PairDataset:
            pairs = list(find_pairs(tmp_path / "in").pairs)
            store = PreparedPairs(tmp_path / "cache")
            return PairDataset(pairs, store, Framing(24, crop=True), **options)

        return make

    def test_samples_lie_on_the_lines_between_versions(self, versions):
        blended = versions(blend=1.0)
        met = set()
        for epoch in range(60):
            sample = blended[Turn(epoch, 0)]
            levels = [255 * one.mean().item() for one in (sample.original, sample.expert)]
            for name, before, after in (("b", 80, 140), ("c", 120, 100)):
                share = (levels[0] - 40) / (before - 40)
                if levels[1] == pytest.approx(60 + share * (after - 60), abs=0.01):
                    assert -0.3 <= share <= 1.3
                    met.add((name, round(share)))
        assert met == {("b", 0), ("b", 1), ("c", 0), ("c", 1)}

    def test_a_photo_with_one_version_stays_as_it_is(self, versions):
        blended = versions(blend=1.0)
        levels = {round(255 * blended[Turn(epoch, 3)].original.mean().item()) for epoch in range(9)}
        assert levels == {20}

    def test_without_blend_nothing_is_blended(self, versions):
        plain = versions()
        levels = {round(255 * plain[Turn(epoch, 0)].original.mean().item()) for epoch in range(9)}
        assert levels == {40}


class TestJitter:
    def test_exposure_changes_and_the_expert_follows_by_less(self):
        photos = torch.full((2, 3, 4, 4), 0.4)
        for seed in range(50):
            original, expert = jittered(photos, 0.3, random.Random(seed))
            # The exponent alone moves a grey photo: log2(0.4) (2^+-0.3 - 1), and gains by 0.2.
            stops = torch.log2(original / 0.4)
            assert stops.abs().max() < 1.322 * (2**0.3 - 1) + 0.2
            exponents = [
                torch.log2(one.mean((1, 2))).mean() / math.log2(0.4) for one in (original, expert)
            ]
            followed = math.log2(exponents[1]) / math.log2(exponents[0])
            assert followed == pytest.approx(EXPOSURE_FOLLOWS, abs=1e-3)

    def test_a_cast_is_kept(self):
        photos = torch.full((2, 3, 4, 4), 0.4)
        original, expert = jittered(photos, 0.3, random.Random(7))
        casts = [
            torch.log2(one[:, 0, 0]) - torch.log2(one[:, 0, 0]).mean() for one in (original, expert)
        ]
        torch.testing.assert_close(casts[1], BALANCE_FOLLOWS * casts[0])

    def test_black_stays_black_and_nothing_leaves_the_range(self):
        photos = torch.rand(2, 3, 8, 8)
        photos[..., 0, 0] = 0
        for seed in range(20):
            changed = jittered(photos, 0.5, random.Random(seed))
            assert changed[..., 0, 0].max() == 0
            assert changed.min() >= 0 and changed.max() <= 1

    def test_a_finished_photo_on_both_sides_stays_equal_on_both(self, dataset):
        sample = dataset(Framing(16, crop=True, jitter=0.3), finished_share=1.0)[Turn(0, 0)]
        torch.testing.assert_close(sample.original, sample.expert)


class TestGrowing:
    def test_squares_grow_from_small_to_full_and_stay(self):
        framing = Framing(160, crop=True, grow_from=64, grown_after=30)
        sides = [framing.at(epoch).side for epoch in range(40)]
        assert sides[0] == 64 and sides[30:] == [160] * 10
        assert sides == sorted(sides) and all(side % 16 == 0 for side in sides)
        assert sides[15] == 64 + 96 // 4 + 8  # a quarter of the way, 88, to the grid

    def test_without_it_the_side_is_the_same_in_every_epoch(self):
        framing = Framing(160, crop=True)
        assert framing.at(0) == framing.at(39) == framing

    def test_padded_photos_are_never_cut_and_squares_never_shrink(self):
        for framing in (Framing(160, grow_from=64), Framing(64, crop=True, grow_from=160)):
            growing = framing._replace(grown_after=30)
            assert growing.at(0).side == growing.side

    def test_samples_have_the_side_of_their_epoch(self, dataset):
        pairs = dataset(Framing(64, crop=True, grow_from=32, grown_after=4))
        assert pairs[Turn(0, 0)].original.shape == (3, 32, 32)
        assert pairs[Turn(4, 0)].original.shape == (3, 64, 64)


class TestPlain:
    def test_frames_have_every_colour_and_every_other_one_has_grain(self):
        photo = torch.rand(3, 20, 30)
        frames = [plain(photo, random.Random(seed)) for seed in range(900)]
        even = [one[:, 0, 0] for one in frames if (one == one[:, :1, :1]).all()]
        assert 0.45 < len(even) / 900 < 0.55
        grey = [one for one in even if one.max() == one.min()]
        ends = [one for one in grey if one.max() in (0, 1)]
        assert 0.12 < len(ends) / len(even) < 0.22, "a sixth are white or black"
        assert 0.27 < len(grey) / len(even) < 0.40, "and a sixth grey"
        assert len({one.max().item() for one in ends}) == 2
        coloured = torch.stack([one for one in even if one.max() > one.min()])
        own = (coloured[:, :, None] == photo.flatten(1)).all(1).any(1)
        assert 0.42 < own.float().mean() < 0.58, "half of the colours are in the photo"
        corners = (coloured[~own] > 0.5).int() @ torch.tensor([4, 2, 1], dtype=torch.int32)
        assert len(corners.unique()) == 8, "the others may be any"

    def test_grain_has_all_sizes_and_strengths_and_no_cast(self):
        frames = [plain(torch.rand(3, 64, 64), random.Random(seed)) for seed in range(600)]
        spreads = torch.stack([frame.std((1, 2)).mean() for frame in frames])
        assert (spreads > 0.2).sum() > 5 and (spreads.gt(0.02) & spreads.lt(0.1)).sum() > 5
        steps = {
            (frame[0].diff(dim=1) != 0).float().mean().mul(4).round().item() for frame in frames
        }
        assert steps >= {1, 2, 4}
        strong = [frame for frame, spread in zip(frames, spreads, strict=True) if spread > 0.24]
        assert all(frame.mean((1, 2)).std() < 0.1 for frame in strong)

    def test_their_share_of_samples_stays_as_it_is(self, dataset):
        some = dataset(Framing(32, crop=True), plain_share=0.25)
        samples = [some[Turn(epoch, 0)] for epoch in range(400)]
        same = [one for one in samples if torch.equal(one.original, one.expert)]
        assert 70 < len(same) < 130
        even = [one for one in same if one.original.std((1, 2)).max() < 1e-4]
        assert 0.35 < len(even) / len(same) < 0.65


class TestShuffled:
    def test_tiles_change_places_and_stay_whole(self):
        where = torch.arange(64.0).view(8, 8)
        square = where.repeat_interleave(4, 0).repeat_interleave(4, 1)  # 8 x 8 tiles, numbered
        orders = []
        for seed in range(60):
            tiles = shuffled(square.expand(2, 32, 32), random.Random(seed))
            assert torch.equal(tiles[0], tiles[1]), "all channels are cut alike"
            numbers = tiles[0, ::4, ::4]
            whole = numbers.repeat_interleave(4, 0).repeat_interleave(4, 1)
            assert torch.equal(tiles[0], whole), "nothing turned, nothing split"
            assert sorted(numbers.flatten().tolist()) == list(range(64))
            orders.append(numbers.eq(where).float().mean().item())
        # In a random order one tile in all stays where it was: a quarter, a sixteenth, a 64th.
        assert sum(orders) / 60 == pytest.approx((1 / 4 + 1 / 16 + 1 / 64) / 3, abs=0.06)

    def test_large_tiles_keep_what_is_within_them(self):
        square = torch.rand(3, 16, 16)
        for seed in range(40):
            tiles = shuffled(square, random.Random(seed))
            corner = square[:, :2, :2]  # within any tile
            places = tiles.unfold(1, 2, 2).unfold(2, 2, 2)
            assert (places == corner[:, None, None]).all((0, 3, 4)).sum() == 1

    def test_a_square_that_cannot_be_divided_stays(self):
        square = torch.rand(3, 15, 15)
        assert torch.equal(shuffled(square, random.Random(0)), square)

    def test_their_share_of_samples_and_both_sides_alike(self, dataset):
        plainly = dataset(Framing(32, crop=True))
        some = dataset(Framing(32, crop=True), shuffle=0.5)
        changed = 0
        for epoch in range(200):
            one, other = plainly[Turn(epoch, 0)], some[Turn(epoch, 0)]
            changed += not torch.equal(one.original, other.original)
            pixels = [torch.cat([x.original, x.expert]).flatten(1).T for x in (one, other)]
            rows = [sorted(map(tuple, both.tolist())) for both in pixels]
            assert rows[0] == rows[1], "each pixel keeps its partner"
        assert 75 < changed < 125


class TestMatted:
    def test_what_is_not_photo_is_plain_and_half_of_it_white(self):
        photo = torch.rand(3, 20, 30)
        grounds, covered = [], []
        grainy = 0
        for seed in range(600):
            sheet = matted(photo, random.Random(seed)).flatten(1)
            ground = sheet[:, (sheet != photo.flatten(1)).any(0)]
            covered.append(1 - ground.shape[1] / 600)
            if not torch.equal(ground, ground[:, :1].expand_as(ground)):
                grainy += 1
            elif ground.shape[1]:
                grounds.append(tuple(ground[:, 0].tolist()))
        assert 0.45 < grainy / 600 < 0.55
        # Half, and half of a sixth of the rest: 0.54, within three standard errors.
        assert 0.45 < grounds.count((1.0, 1.0, 1.0)) / len(grounds) < 0.63
        assert sum(covered) / len(covered) == pytest.approx(0.25, abs=0.03)  # U * U

    def test_the_photo_stays_where_it_was(self):
        photo = torch.rand(3, 20, 30) * 0.8 + 0.1
        sheet = matted(photo, random.Random(0))
        left = (sheet == photo).all(0)
        rows, columns = left.any(1).nonzero(), left.any(0).nonzero()
        assert left.sum() == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)

    def test_only_finished_samples_are_matted(self, dataset):
        some = dataset(Framing(64), finished_share=0.5)
        samples = [some[Turn(epoch, 0)] for epoch in range(200)]
        whites = [(one.expert.amin(0) == 1).float().mean().item() > 0.05 for one in samples]
        finished = [torch.equal(one.original, one.expert) for one in samples]
        assert 3 < sum(whites) < 30
        assert all(done for done, white in zip(finished, whites, strict=True) if white)


class TestDistorted:
    @pytest.fixture
    def photos(self, tmp_path, write_photo, coffee):
        write_photo(tmp_path / "good" / "coffee.png", coffee)

        def make(framing) -> PairDataset:
            pairs = list(find_photos(tmp_path / "good").pairs)
            return PairDataset(pairs, PreparedPairs(tmp_path / "cache", 96), framing)

        return make

    def test_the_original_is_spoilt_and_the_expert_stays(self, photos):
        whole = photos(Framing(64, crop=True, keep_aspect=False))
        samples = [whole[Turn(epoch, 0)] for epoch in range(100)]
        assert all(torch.equal(sample.expert, samples[0].expert) for sample in samples)
        changes = [(one.original - one.expert).abs().mean().item() for one in samples]
        untouched = changes.count(0.0)
        assert 2 <= untouched <= 22, "a share is left as it is"
        assert sum(change > 0.02 for change in changes) >= 75

    def test_part_and_view_are_spoilt_alike(self, photos):
        both = photos(Framing(64, crop=True, view=View(64, "squash"), keep_aspect=False))
        for epoch in range(20):
            sample = both[Turn(epoch, 0)]
            torch.testing.assert_close(sample.original, sample.view)

    def test_padding_stays_black(self, photos):
        for epoch in range(20):
            sample = photos(Framing(96, view=View(96, "pad")))[Turn(epoch, 0)]
            assert not (sample.original * (1 - sample.mask)).any()
            torch.testing.assert_close(sample.view, sample.original)


class TestTurns:
    def test_weights_say_how_often_a_pair_comes_up(self):
        weights = [1.0] * 10 + [2.5] * 4 + [0.25] * 8
        for epoch in range(3):
            turns = epoch_turns(weights, epoch, random.Random(epoch))
            assert len(turns) == len(set(turns)) == 10 + 10 + 2
            counts = [sum(turn.number == number for turn in turns) for number in range(22)]
            assert counts[:10] == [1] * 10
            assert sorted(counts[10:14]) == [2, 2, 3, 3]
            assert sum(counts[14:]) == 2 and max(counts[14:]) == 1

    def test_every_epoch_has_its_own_order(self):
        orders = [
            [turn.number for turn in epoch_turns([1.0] * 50, 0, random.Random(seed))]
            for seed in (1, 1, 2)
        ]
        assert orders[0] == orders[1] != orders[2]
        assert sorted(orders[0]) == list(range(50))
