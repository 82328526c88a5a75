import math
import random

import pytest
import torch

from enhance_cli.data.augmentation import (
    BALANCE_FOLLOWS,
    EXPOSURE_FOLLOWS,
    draw_jitter,
    shuffle_tiles,
)


def jittered(photos: torch.Tensor, stops: float, draw: random.Random) -> torch.Tensor:
    change = draw_jitter(stops, draw)
    return torch.stack([change.original(photos[0]), change.expert(photos[1])])


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


class TestShuffled:
    def test_tiles_change_places_and_stay_whole(self):
        where = torch.arange(64.0).view(8, 8)
        square = where.repeat_interleave(4, 0).repeat_interleave(4, 1)  # 8 x 8 tiles, numbered
        orders = []
        for seed in range(60):
            tiles = shuffle_tiles(square.expand(2, 32, 32), random.Random(seed))
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
            tiles = shuffle_tiles(square, random.Random(seed))
            corner = square[:, :2, :2]  # within any tile
            places = tiles.unfold(1, 2, 2).unfold(2, 2, 2)
            assert (places == corner[:, None, None]).all((0, 3, 4)).sum() == 1

    def test_a_square_that_cannot_be_divided_stays(self):
        square = torch.rand(3, 15, 15)
        assert torch.equal(shuffle_tiles(square, random.Random(0)), square)
