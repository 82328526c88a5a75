import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from enhance_cli.models.photo_statistics import (
    FEATURE_MAPS,
    JOINT,
    MARGINAL,
    STATISTICS,
    PhotoStatistics,
    color_histogram,
)


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


def test_the_statistics_of_the_features_are_those_of_numpy_and_scipy():
    torch.manual_seed(0)
    net, photo = PhotoStatistics().eval(), torch.rand(1, 3, 12, 10)
    features = photo[0].numpy() - 0.5
    for layer, stride in ((net.features[0], 1), (net.features[2], 2)):
        kernels, offsets = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        filtered = [
            sum(
                correlate(part, kernel, mode="nearest")
                for part, kernel in zip(features, of, strict=True)
            )
            for of in kernels
        ]
        features = np.maximum(np.stack(filtered) + offsets[:, None, None], 0)
        features = features[:, ::stride, ::stride]
    expected = [features.mean((1, 2)), features.std((1, 2)), features.max((1, 2))]
    with torch.no_grad():
        found = net(photo)[0].numpy()
    assert found.shape == (STATISTICS,)
    np.testing.assert_allclose(found[: -3 * FEATURE_MAPS], color_histogram(photo)[0])
    np.testing.assert_allclose(found[-3 * FEATURE_MAPS :], np.concatenate(expected), atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 1), (33, 21)])
def test_a_photo_of_any_size_has_finite_statistics_and_gradients(size):
    photo = torch.rand(2, 3, *size, requires_grad=True)
    net = PhotoStatistics()
    net(photo).sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in net.parameters())
