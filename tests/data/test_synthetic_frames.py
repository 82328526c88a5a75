import random

import pytest
import torch

from enhance_cli.data.synthetic_frames import flat_or_noise_frame, on_plain_background


class TestFlatOrNoiseFrame:
    def test_frames_have_every_color_and_every_other_one_has_noise(self):
        photo = torch.rand(3, 20, 30)
        frames = [flat_or_noise_frame(photo, random.Random(seed)) for seed in range(900)]
        even = [one[:, 0, 0] for one in frames if (one == one[:, :1, :1]).all()]
        assert 0.45 < len(even) / 900 < 0.55
        grey = [one for one in even if one.max() == one.min()]
        ends = [one for one in grey if one.max() in (0, 1)]
        assert 0.12 < len(ends) / len(even) < 0.22, "a sixth are white or black"
        assert 0.27 < len(grey) / len(even) < 0.40, "and a sixth grey"
        assert len({one.max().item() for one in ends}) == 2
        colored = torch.stack([one for one in even if one.max() > one.min()])
        own = (colored[:, :, None] == photo.flatten(1)).all(1).any(1)
        assert 0.42 < own.float().mean() < 0.58, "half of the colors are in the photo"
        corners = (colored[~own] > 0.5).int() @ torch.tensor([4, 2, 1], dtype=torch.int32)
        assert len(corners.unique()) == 8, "the others may be any"
        # Light times a channel, both even in [0, 1]: 0.25 in the mean.
        assert colored[~own].mean() == pytest.approx(0.25, abs=0.03), "and are often dark"

    def test_noise_has_all_sizes_and_strengths_and_no_cast(self):
        frames = [
            flat_or_noise_frame(torch.rand(3, 64, 64), random.Random(seed)) for seed in range(600)
        ]
        spreads = torch.stack([frame.std((1, 2)).mean() for frame in frames])
        assert (spreads > 0.2).sum() > 5 and (spreads.gt(0.02) & spreads.lt(0.1)).sum() > 5
        steps = {
            (frame[0].diff(dim=1) != 0).float().mean().mul(4).round().item() for frame in frames
        }
        assert steps >= {1, 2, 4}
        strong = [frame for frame, spread in zip(frames, spreads, strict=True) if spread > 0.24]
        assert all(frame.mean((1, 2)).std() < 0.1 for frame in strong)


class TestOnPlainBackground:
    def test_half_of_the_backgrounds_are_white(self):
        photo = torch.rand(3, 20, 30)
        backgrounds, covered = [], []
        noisy = 0
        for seed in range(600):
            frame = on_plain_background(photo, random.Random(seed)).flatten(1)
            background = frame[:, (frame != photo.flatten(1)).any(0)]
            covered.append(1 - background.shape[1] / 600)
            if not torch.equal(background, background[:, :1].expand_as(background)):
                noisy += 1
            elif background.shape[1]:
                backgrounds.append(tuple(background[:, 0].tolist()))
        assert 0.45 < noisy / 600 < 0.55
        # Half, and half of a sixth of the rest: 0.54, within three standard errors.
        assert 0.45 < backgrounds.count((1.0, 1.0, 1.0)) / len(backgrounds) < 0.63
        assert sum(covered) / len(covered) == pytest.approx(0.25, abs=0.03)  # U * U

    def test_the_photo_stays_where_it_was(self):
        photo = torch.rand(3, 20, 30) * 0.8 + 0.1
        frame = on_plain_background(photo, random.Random(0))
        left = (frame == photo).all(0)
        rows, columns = left.any(1).nonzero(), left.any(0).nonzero()
        assert left.sum() == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
