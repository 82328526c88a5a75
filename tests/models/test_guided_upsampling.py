import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from enhance_cli.imaging.affine_grid import apply_affine_grid
from enhance_cli.models.cascade import Enhancement
from enhance_cli.models.cenet import ColorMapping
from enhance_cli.models.guided_upsampling import (
    RADIUS,
    _downscaling,
    _inverse,
    guided_affine_grid,
)
from enhance_cli.models.prnet import Shape

LANCZOS = Image.Resampling.LANCZOS


def smooth(height, width):
    torch.manual_seed(0)
    noise = torch.rand(1, 3, 6, 8)
    return F.interpolate(noise, (height, width), mode="bicubic")[0].clamp(0.2, 0.8)


def carried(small, residual, large):
    """What of the residual arrives at the large photo."""
    seen = Enhancement((small + residual)[None], small[None], residual[None], None)
    grid = guided_affine_grid(seen, Shape(*large.shape[1:])).numpy()
    pixels = large.permute(1, 2, 0).contiguous().numpy()
    return torch.from_numpy(apply_affine_grid(pixels, grid) - pixels).permute(2, 0, 1)


def test_at_the_same_size_the_residual_comes_back_as_it_is():
    small, residual = smooth(36, 48), torch.rand(3, 36, 48) * 0.2 - 0.1
    torch.testing.assert_close(carried(small, residual, small), residual, atol=1e-6, rtol=0)


def test_the_coarse_map_is_in_it():
    """Eq. 1 and 3 written out, at both sizes: e = p + W p + b + r."""
    mapping = ColorMapping(torch.randn(1, 3, 3) * 0.1, torch.randn(1, 3) * 0.05)
    for size in ((36, 48), (90, 120)):
        photo, large = smooth(36, 48), smooth(*size)
        coarse = photo[None] + mapping.residual(photo[None])
        residual = torch.full((1, 3, 36, 48), 0.03)
        small_result = Enhancement(coarse + residual, coarse, residual, mapping)
        grid = guided_affine_grid(small_result, Shape(*size))
        pixels = large.permute(1, 2, 0).contiguous()
        expected = pixels + pixels @ mapping.matrix[0].T + mapping.offset[0] + 0.03
        ours = apply_affine_grid(pixels.numpy(), grid.numpy())
        np.testing.assert_allclose(ours, expected.clamp(0, 1), atol=1e-5)


def test_an_affine_residual_is_carried_up_exactly():
    """The closed form: where the residual is one affine function, so it is at any size."""
    small, large = smooth(36, 48), smooth(216, 288)
    matrix, offset = torch.randn(3, 3) * 0.1, torch.tensor([0.1, -0.1, 0.05])

    def residual(photo):
        return torch.einsum("ij,jhw->ihw", matrix, photo) + offset[:, None, None]

    error = (carried(small, residual(small), large) - residual(large)).abs()
    # The regularization flattens slopes a little; enlarging the rest by itself makes good for it.
    assert error.mean() < 0.004


def test_an_edge_stays_as_sharp_as_in_the_large_photo():
    """Two halves, each to be moved its own way: enlarged by itself the residual would blur."""
    small, large = torch.full((3, 40, 40), 0.1), torch.full((3, 320, 320), 0.1)
    small[..., 20:], large[..., 160:] = 0.9, 0.9
    residual = torch.where(small > 0.5, 0.1, -0.1)
    expected = torch.where(large > 0.5, 0.1, -0.1)
    blurred = F.interpolate(residual[None], (320, 320), mode="bilinear")[0]
    assert (carried(small, residual, large) - expected).abs().max() < 0.011
    assert (blurred - expected).abs().max() > 0.08


def test_a_photo_smaller_than_a_window_is_fitted_too():
    tiny, residual = torch.rand(3, 1, RADIUS), torch.rand(3, 1, RADIUS) * 0.1
    large = F.interpolate(tiny[None], (2, 2 * RADIUS), mode="nearest")[0]
    assert carried(tiny, residual, large).isfinite().all()


def test_the_inverse_is_lapacks():
    factors = torch.randn(50, 3, 3)
    matrices = factors @ factors.mT + 1e-3 * torch.eye(3)
    ours = _inverse(matrices.permute(1, 2, 0)[..., None])[..., 0].permute(2, 0, 1)
    torch.testing.assert_close(ours @ matrices, torch.eye(3).expand(50, 3, 3), atol=1e-2, rtol=0)


def _made_small(photo, size):
    """By Pillow, as photos are made small everywhere else."""
    channels = [Image.fromarray(one.numpy()).resize(size[::-1], LANCZOS) for one in photo]
    return torch.from_numpy(np.stack([np.asarray(one) for one in channels]))


@pytest.mark.parametrize("size", [(54, 72), (97, 131), (433, 577)])
def test_what_enlarging_blurs_is_given_back(size):
    """A residual without any bearing on colour, which the fit cannot hold."""
    torch.manual_seed(0)
    residual = F.interpolate(torch.randn(1, 3, 12, 16), (36, 48), mode="bicubic")[0] * 0.1
    ours = carried(torch.full((3, 36, 48), 0.5), residual, torch.full((3, *size), 0.5))
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
    ours = _downscaling(small, large) @ line
    np.testing.assert_allclose(ours, np.asarray(expected)[0], atol=2e-5)
