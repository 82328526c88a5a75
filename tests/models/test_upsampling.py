import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from enhance_cli.models.upsampling import RADIUS, LocalAffine, _enlarged_rows, _shrinking

LANCZOS = Image.Resampling.LANCZOS


@pytest.fixture
def small():
    torch.manual_seed(0)
    noise = torch.rand(1, 3, 6, 8)
    return F.interpolate(noise, (36, 48), mode="bicubic")[0].clamp(0, 1)


@pytest.fixture
def large():
    torch.manual_seed(0)
    noise = torch.rand(1, 3, 6, 8)
    return F.interpolate(noise, (216, 288), mode="bicubic")[0].clamp(0, 1)


@pytest.mark.parametrize("size", [(36, 48), (97, 131), (400, 300)])
def test_strips_are_rows_of_pytorchs_own_enlargement(small, size):
    whole = F.interpolate(small[None], size, mode="bilinear", align_corners=False)[0]
    for top, n in ((0, 7), (13, 20), (size[0] - 5, 5)):
        strip = _enlarged_rows(small, top, n, *size)
        torch.testing.assert_close(strip, whole[:, top : top + n], atol=1e-5, rtol=1e-5)


def test_at_the_same_size_the_residual_comes_back_as_it_is(small):
    residual = torch.randn(3, 36, 48) * 0.1
    fitted = LocalAffine.fit(small, residual, (36, 48))
    torch.testing.assert_close(fitted.rows(small, 0, 36), residual, atol=1e-6, rtol=0)


def test_an_affine_residual_is_carried_up_exactly(small, large):
    """The closed form: where the residual is one affine function, so it is at any size."""
    matrix, offset = torch.randn(3, 3) * 0.2, torch.tensor([0.1, -0.1, 0.05])

    def residual(photo):
        return torch.einsum("ij,jhw->ihw", matrix, photo) + offset[:, None, None]

    fitted = LocalAffine.fit(small, residual(small), (216, 288))
    error = (fitted.rows(large, 0, 216) - residual(large)).abs()
    # The regularization flattens slopes a little; enlarging the rest by itself makes good for it.
    assert error.mean() < 0.004


def test_an_edge_stays_as_sharp_as_in_the_large_photo():
    """Two halves, each to be moved its own way: enlarged by itself the residual would blur."""
    small, large = torch.zeros(3, 40, 40), torch.zeros(3, 320, 320)
    small[..., 20:], large[..., 160:] = 0.8, 0.8
    residual = torch.where(small > 0.5, 0.1, -0.1)
    expected = torch.where(large > 0.5, 0.1, -0.1)
    ours = LocalAffine.fit(small, residual, (320, 320)).rows(large, 0, 320)
    blurred = F.interpolate(residual[None], (320, 320), mode="bilinear")[0]
    assert (ours - expected).abs().max() < 0.011
    assert (blurred - expected).abs().max() > 0.08


def test_a_photo_smaller_than_a_window_is_fitted_too():
    tiny = torch.rand(3, 1, RADIUS)
    residual = torch.rand(3, 1, RADIUS)
    fitted = LocalAffine.fit(tiny, residual, (1, RADIUS))
    torch.testing.assert_close(fitted.rows(tiny, 0, 1), residual, atol=1e-6, rtol=0)


def _made_small(photo, size):
    """By Pillow, as photos are made small everywhere else."""
    channels = [Image.fromarray(one.numpy()).resize(size[::-1], LANCZOS) for one in photo]
    return torch.from_numpy(np.stack([np.asarray(one) for one in channels]))


@pytest.mark.parametrize("size", [(54, 72), (97, 131), (433, 577)])
def test_what_enlarging_blurs_is_given_back(size):
    """A residual without any bearing on colour, which the fit cannot hold."""
    torch.manual_seed(0)
    residual = F.interpolate(torch.randn(1, 3, 12, 16), (36, 48), mode="bicubic")[0] * 0.1
    grey = torch.full((3, 36, 48), 0.5), torch.full((3, *size), 0.5)
    ours = LocalAffine.fit(grey[0], residual, size).rows(grey[1], 0, size[0])
    enlarged = F.interpolate(residual[None], size, mode="bilinear")[0]
    errors = [
        (_made_small(one, (36, 48)) - residual)[:, 3:-3, 3:-3].abs().mean()
        for one in (ours, enlarged)
    ]
    assert errors[0] < 0.4 * errors[1]
    assert errors[0] < 0.25 / 255


@pytest.mark.parametrize(("small", "large"), [(36, 54), (36, 433)])
def test_photos_are_made_small_as_pillow_makes_them(small, large):
    line = torch.rand(large)
    expected = Image.fromarray(line[None].numpy()).resize((small, 1), LANCZOS)
    ours = _shrinking(small, large, line) @ line
    np.testing.assert_allclose(ours, np.asarray(expected)[0], atol=2e-5)
