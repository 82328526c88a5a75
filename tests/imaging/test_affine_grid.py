"""The compiled loop, compared with the formula in PyTorch."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from enhance_cli.imaging.affine_grid import affine_grid_delta, apply_affine_grid

GRID_SIZES = [(1, 1), (5, 7), (33, 50)]
SIZES = [(1, 1), (33, 50), (97, 301), (400, 600)]


@pytest.fixture
def draw():
    return np.random.default_rng(0)


def make_grid(draw, size):
    return (np.eye(3, 4) + draw.normal(0, 0.2, (*size, 3, 4))).astype(np.float32)


def expected_result(colors, grid):
    """``e = C p + c`` at every pixel, not clamped; double precision."""
    numbers = torch.from_numpy(grid.reshape(*grid.shape[:2], 12)).double().permute(2, 0, 1)
    wide = F.interpolate(numbers[None], colors.shape[:2], mode="bilinear", align_corners=False)
    maps = wide[0].permute(1, 2, 0).unflatten(2, (3, 4)).numpy()
    return np.einsum("hwij,hwj->hwi", maps[..., :3], colors.astype(float)) + maps[..., 3]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("grid_size", GRID_SIZES)
@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_every_pixel_is_mapped(draw, size, grid_size, dtype, white):
    pixels = (draw.random((*size, 3)) * white).astype(dtype)
    grid = make_grid(draw, grid_size)
    expected = expected_result(pixels / white, grid).clip(0, 1) * white
    result = apply_affine_grid(pixels, grid, white=white)
    assert result.dtype == dtype and result.shape == pixels.shape
    if white > 1:
        expected = expected.round()
    error = np.abs(result.astype(float) - expected)
    assert error.max() <= (1e-4 if white == 1 else 1 if white == 255 else 8)
    assert error.mean() <= 2e-5 * white


@pytest.mark.parametrize("strength", [0.0, 0.4, 1.5])
def test_strength_counts_from_the_clamped_result(draw, strength):
    pixels = draw.random((40, 60, 3)).astype(np.float32)
    grid = make_grid(draw, (5, 7))
    change = expected_result(pixels, grid).clip(0, 1) - pixels
    expected = (pixels + strength * change).clip(0, 1)
    np.testing.assert_allclose(apply_affine_grid(pixels, grid, strength), expected, atol=1e-4)


def test_grey_stays_grey(draw):
    pixels = np.repeat(draw.integers(0, 256, (40, 60, 1), dtype=np.uint8), 3, axis=2)
    result = apply_affine_grid(pixels, make_grid(draw, (5, 7)), grey=True, white=255)
    assert (result.max(axis=2) == result.min(axis=2)).all()
    assert (result != pixels).any()


def test_strips_are_rows_of_the_whole(draw):
    pixels = draw.random((97, 131, 3)).astype(np.float32)
    grid = make_grid(draw, (33, 50))
    whole = expected_result(pixels, grid).clip(0, 1)
    for top, n in ((0, 7), (13, 20), (92, 5)):
        strip = np.ascontiguousarray(pixels[top : top + n])
        change = affine_grid_delta(strip, grid, top, 97)
        np.testing.assert_allclose(strip + change, whole[top : top + n], atol=1e-4)
