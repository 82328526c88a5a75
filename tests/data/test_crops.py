import random

import torch

from enhance_cli.data.crops import CropConfig, crop_or_pad


def test_a_crop_of_scale_1_is_the_whole_photo():
    photos = torch.rand(2, 3, 30, 30)
    squares, _ = crop_or_pad(photos, CropConfig(30, crop=True), random.Random(0))
    torch.testing.assert_close(squares, photos)


class TestGrowing:
    def test_crops_grow_to_their_full_size_and_keep_it(self):
        config = CropConfig(160, crop=True, initial_side=64, full_size_after=30)
        sides = [config.at(epoch).side for epoch in range(40)]
        assert sides[0] == 64 and sides[30:] == [160] * 10
        assert sides == sorted(sides) and all(side % 16 == 0 for side in sides)
        assert sides[15] == 64 + 96 // 4 + 8  # a quarter of the way, 88, to the grid

    def test_the_side_is_constant_by_default(self):
        config = CropConfig(160, crop=True)
        assert config.at(0) == config.at(39) == config

    def test_padded_photos_are_never_cropped_and_crops_never_shrink(self):
        for config in (
            CropConfig(160, initial_side=64),
            CropConfig(64, crop=True, initial_side=160),
        ):
            growing = config._replace(full_size_after=30)
            assert growing.at(0).side == growing.side
