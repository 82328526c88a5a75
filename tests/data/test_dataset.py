import math
import random

import pytest
import torch
from torch.utils.data import DataLoader

from enhance_cli.data.dataset import (
    BALANCE_FOLLOWS,
    EXPOSURE_FOLLOWS,
    Framing,
    PairDataset,
    Turn,
    View,
    epoch_turns,
    frame,
    jittered,
    matted,
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
    cut = dataset(Framing(24, crop=True, zoom=0.4, keep_aspect=keep_aspect, flip=True))
    for epoch in range(6):
        sample = cut[Turn(epoch, 0)]
        difference = sample.expert - sample.original
        torch.testing.assert_close(difference, torch.full_like(difference, 25 / 255))
        assert sample.mask.all()


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


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_the_view_shows_the_whole_original_as_cenet_sees_it(dataset, fit):
    sample = dataset(Framing(16, crop=True, zoom=0.3, view=View(64, fit)))[Turn(0, 0)]
    assert sample.view.shape == (3, 64, 64)
    plain = dataset(Framing(64, crop=fit == "squash", keep_aspect=False))[Turn(0, 0)]
    torch.testing.assert_close(sample.view, plain.original)


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


class TestMatted:
    def test_what_is_not_photo_is_plain_and_a_third_of_it_white(self):
        photo = torch.full((3, 20, 30), 0.3)
        grounds, covered = [], []
        for seed in range(400):
            sheet = matted(photo, random.Random(seed)).flatten(1)
            ground = sheet[:, (sheet != 0.3).any(0)]
            assert torch.equal(ground, ground[:, :1].expand_as(ground))
            covered.append(1 - ground.shape[1] / 600)
            grounds += [tuple(ground[:, 0].tolist())] if ground.shape[1] else []
        assert 0.28 < grounds.count((1.0, 1.0, 1.0)) / len(grounds) < 0.39
        assert 0.12 < grounds.count((0.0, 0.0, 0.0)) / len(grounds) < 0.22
        assert 0.28 < covered.count(0) / len(covered) < 0.42
        assert sum(covered) / len(covered) == pytest.approx(0.25 * 2 / 3, abs=0.03)  # U * U

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
