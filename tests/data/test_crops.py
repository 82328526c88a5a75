import random

import torch

from enhance_cli.data.crops import CropConfig, frame


def test_a_crop_without_zoom_is_the_whole_photo():
    photos = torch.rand(2, 3, 30, 30)
    squares, _ = frame(photos, CropConfig(30, crop=True), random.Random(0))
    torch.testing.assert_close(squares, photos)


class TestGrowing:
    def test_squares_grow_from_small_to_full_and_stay(self):
        framing = CropConfig(160, crop=True, initial_crop=64, grown_after=30)
        sides = [framing.at(epoch).side for epoch in range(40)]
        assert sides[0] == 64 and sides[30:] == [160] * 10
        assert sides == sorted(sides) and all(side % 16 == 0 for side in sides)
        assert sides[15] == 64 + 96 // 4 + 8  # a quarter of the way, 88, to the grid

    def test_without_it_the_side_is_the_same_in_every_epoch(self):
        framing = CropConfig(160, crop=True)
        assert framing.at(0) == framing.at(39) == framing

    def test_padded_photos_are_never_cut_and_squares_never_shrink(self):
        for framing in (CropConfig(160, initial_crop=64), CropConfig(64, crop=True, initial_crop=160)):
            growing = framing._replace(grown_after=30)
            assert growing.at(0).side == growing.side
