import random

import pytest
import torch

from enhance_cli.data.augmentation import shuffle_tiles


class TestShuffleTiles:
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

    def test_pixels_within_a_tile_stay_together(self):
        square = torch.rand(3, 16, 16)
        for seed in range(40):
            tiles = shuffle_tiles(square, random.Random(seed))
            corner = square[:, :2, :2]  # within any tile
            places = tiles.unfold(1, 2, 2).unfold(2, 2, 2)
            assert (places == corner[:, None, None]).all((0, 3, 4)).sum() == 1

    def test_a_square_that_cannot_be_divided_is_returned_unchanged(self):
        square = torch.rand(3, 15, 15)
        assert torch.equal(shuffle_tiles(square, random.Random(0)), square)
