import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from enhance_cli.config.input_size import Shape
from enhance_cli.imaging.affine_grid import apply_affine_grid
from enhance_cli.models.cenet import ColorMapping
from enhance_cli.models.color_function import ColorFunction
from enhance_cli.models.guided_upsampling import (
    RADIUS,
    _downscaling,
    _inverse,
    _sharpening,
    guided_affine_grid,
)

LANCZOS = Image.Resampling.LANCZOS


def smooth(height, width):
    torch.manual_seed(0)
    noise = torch.rand(1, 3, 6, 8)
    return F.interpolate(noise, (height, width), mode="bicubic")[0].clamp(0.2, 0.8)


def upsampled(small, residual, large):
    """The residual as it is applied to the large photo."""
    shape = Shape(*large.shape[1:])
    grid = guided_affine_grid(small, residual, torch.eye(3, 4), shape).numpy()
    pixels = large.permute(1, 2, 0).contiguous().numpy()
    return torch.from_numpy(apply_affine_grid(pixels, grid) - pixels).permute(2, 0, 1)


def test_at_the_same_size_the_residual_is_unchanged():
    small, residual = smooth(36, 48), torch.rand(3, 36, 48) * 0.2 - 0.1
    torch.testing.assert_close(upsampled(small, residual, small), residual, atol=1e-6, rtol=0)


def test_the_grid_includes_the_coarse_map():
    """Eq. 1 and 3 written out, at both sizes: e = p + W p + b + r."""
    mapping = ColorMapping(torch.randn(1, 3, 3) * 0.1, torch.randn(1, 3) * 0.05)
    for size in ((36, 48), (90, 120)):
        photo, large = smooth(36, 48), smooth(*size)
        function = ColorFunction(mapping)
        coarse = function.coarse(photo[None])[0]
        residual = torch.full((3, 36, 48), 0.03)
        grid = guided_affine_grid(coarse, residual, function.matrix(), Shape(*size))
        pixels = large.permute(1, 2, 0).contiguous()
        expected = pixels + pixels @ mapping.matrix[0].T + mapping.offset[0] + 0.03
        ours = apply_affine_grid(pixels.numpy(), grid.numpy())
        np.testing.assert_allclose(ours, expected.clamp(0, 1), atol=1e-5)


def test_an_affine_residual_is_upsampled_almost_exactly():
    """A residual that is an affine function of color is the same function at any size."""
    small, large = smooth(36, 48), smooth(216, 288)
    matrix, offset = torch.randn(3, 3) * 0.1, torch.tensor([0.1, -0.1, 0.05])

    def residual(photo):
        return torch.einsum("ij,jhw->ihw", matrix, photo) + offset[:, None, None]

    error = (upsampled(small, residual(small), large) - residual(large)).abs()
    # Regularisation flattens slopes a little; the upsampled remainder compensates for it.
    assert error.mean() < 0.004


def test_an_edge_stays_as_sharp_as_in_the_large_photo():
    """Two halves with opposite residuals: plain bilinear upsampling blurs the edge."""
    small, large = torch.full((3, 40, 40), 0.1), torch.full((3, 320, 320), 0.1)
    small[..., 20:], large[..., 160:] = 0.9, 0.9
    residual = torch.where(small > 0.5, 0.1, -0.1)
    expected = torch.where(large > 0.5, 0.1, -0.1)
    blurred = F.interpolate(residual[None], (320, 320), mode="bilinear")[0]
    assert (upsampled(small, residual, large) - expected).abs().max() < 0.011
    assert (blurred - expected).abs().max() > 0.08


def test_a_photo_smaller_than_a_window_works():
    tiny, residual = torch.rand(3, 1, RADIUS), torch.rand(3, 1, RADIUS) * 0.1
    large = F.interpolate(tiny[None], (2, 2 * RADIUS), mode="nearest")[0]
    assert upsampled(tiny, residual, large).isfinite().all()


def test_the_inverse_is_correct():
    factors = torch.randn(50, 3, 3)
    matrices = factors @ factors.mT + 1e-3 * torch.eye(3)
    ours = _inverse(matrices.permute(1, 2, 0)[..., None])[..., 0].permute(2, 0, 1)
    torch.testing.assert_close(ours @ matrices, torch.eye(3).expand(50, 3, 3), atol=1e-2, rtol=0)


def _downscaled(photo, size):
    """Downscale with Pillow, as everywhere else."""
    channels = [Image.fromarray(plane.numpy()).resize(size[::-1], LANCZOS) for plane in photo]
    return torch.from_numpy(np.stack([np.asarray(channel) for channel in channels]))


@pytest.mark.parametrize("size", [(54, 72), (97, 131), (433, 577)])
def test_the_blur_of_upsampling_is_compensated(size):
    """A residual that does not depend on color, which the affine fit cannot represent."""
    torch.manual_seed(0)
    residual = F.interpolate(torch.randn(1, 3, 12, 16), (36, 48), mode="bicubic")[0] * 0.1
    ours = upsampled(torch.full((3, 36, 48), 0.5), residual, torch.full((3, *size), 0.5))
    enlarged = F.interpolate(residual[None], size, mode="bilinear")[0]
    errors = [
        (_downscaled(photo, (36, 48)) - residual)[:, 3:-3, 3:-3].abs().mean()
        for photo in (ours, enlarged)
    ]
    assert errors[0] < 0.4 * errors[1]
    assert errors[0] < 0.25 / 255


@pytest.mark.parametrize(("small", "large"), [(36, 54), (36, 433)])
def test_the_downscaling_matrix_is_pillows_filter(small, large):
    line = torch.rand(large)
    expected = Image.fromarray(line[None].numpy()).resize((small, 1), LANCZOS)
    ours = _downscaling(small, large) @ line
    np.testing.assert_allclose(ours, np.asarray(expected)[0], atol=2e-5)


def test_what_is_kept_from_inference_has_gradients_afterwards():
    values = torch.rand(3, 5, 5, requires_grad=True)
    _sharpening.cache_clear()
    with torch.inference_mode():
        _sharpening(5, 9)
    (_sharpening(5, 9) @ values).sum().backward()
    assert values.grad is not None
