import numpy as np
import torch

from enhance_cli.models.color_histogram import JOINT, MARGINAL, color_histogram


def shares(photo: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The shares of pixels, by red, green and blue level, and by channel and level."""
    numbers = (color_histogram(photo)[0] / 10).square().double().numpy()
    return numbers[: JOINT**3].reshape(JOINT, JOINT, JOINT), numbers[JOINT**3 :].reshape(3, -1)


def test_pixels_exactly_at_levels_are_counted_as_numpy_counts_them():
    generator = torch.Generator().manual_seed(0)
    levels = torch.randint(0, JOINT, (1, 3, 9, 7), generator=generator)
    joint, _ = shares(levels / (JOINT - 1))
    counts, _ = np.histogramdd(levels[0].flatten(1).T.numpy(), JOINT, [(-0.5, JOINT - 0.5)] * 3)
    np.testing.assert_allclose(joint, counts / 63, atol=1e-5)
    levels = torch.randint(0, MARGINAL, (1, 3, 9, 7), generator=generator)
    _, channels = shares(levels / (MARGINAL - 1))
    for channel, counted in zip(levels[0].flatten(1), channels, strict=True):
        expected = np.bincount(channel.numpy(), minlength=MARGINAL) / 63
        np.testing.assert_allclose(counted, expected, atol=1e-5)


def test_a_pixel_between_levels_counts_for_both_in_proportion():
    color = torch.tensor([0.0, 0.25 / (JOINT - 1), 1.0]).view(1, 3, 1, 1)
    joint, channels = shares(color)
    expected = np.zeros((JOINT, JOINT, JOINT))
    expected[0, 0, -1], expected[0, 1, -1] = 0.75, 0.25
    np.testing.assert_allclose(joint, expected, atol=1e-6)
    np.testing.assert_allclose(channels.sum(axis=1), 1, atol=1e-6)


def test_it_depends_on_colors_alone_and_not_on_places():
    generator = torch.Generator().manual_seed(1)
    photo = torch.rand(2, 3, 16, 16, generator=generator)
    shuffled = photo.flatten(2)[..., torch.randperm(256, generator=generator)].view(2, 3, 32, 8)
    torch.testing.assert_close(color_histogram(shuffled), color_histogram(photo))
    assert not torch.allclose(color_histogram(photo)[0], color_histogram(photo)[1])
