import numpy as np
import pytest
import torch
from torch.nn import functional as F

from enhance_cli.models.color_polynomial import evaluate_color_polynomial, fit_color_polynomial


def project(residual, photo, mask=None, at=None):
    coefficients = fit_color_polynomial(residual, photo, mask)
    return evaluate_color_polynomial(coefficients, photo if at is None else at)


def least_squares(residual, photo):
    """NumPy's solution, with the monomials r^i g^j b^k, i + j + k <= 4."""
    r, g, b = photo[0].double().flatten(1).numpy()
    terms = [r**i * g**j * b**k for i in range(5) for j in range(5 - i) for k in range(5 - i - j)]
    matrix = np.stack(terms, 1)
    factors, *_ = np.linalg.lstsq(matrix, residual[0].double().flatten(1).numpy().T, rcond=None)
    return torch.from_numpy(matrix @ factors).float().T.reshape(residual.shape)


@pytest.fixture
def photo():
    torch.manual_seed(0)
    return torch.rand(1, 3, 48, 64)


def test_it_is_the_least_squares_polynomial(photo):
    residual = 0.1 * torch.sin(5 * photo) + 0.05 * torch.randn_like(photo)
    found = project(residual, photo)
    torch.testing.assert_close(found, least_squares(residual, photo), rtol=0, atol=1e-3)


def test_a_residual_that_depends_on_color_is_kept(photo):
    red, green, blue = photo.unbind(1)
    residual = torch.stack([red * green, blue**2 - red, 0.2 * green**4 - 0.1], 1)
    torch.testing.assert_close(project(residual, photo), residual, rtol=0, atol=2e-3)


def test_a_residual_that_depends_on_the_place_is_averaged(photo):
    photo[..., 32:] = photo[..., :32]  # the same colors left and right
    residual = torch.zeros_like(photo)
    residual[..., 32:] = 0.2
    expected = torch.full_like(photo, 0.1)
    torch.testing.assert_close(project(residual, photo), expected, rtol=0, atol=1e-4)


def test_the_residual_of_a_frame_of_one_color_is_kept():
    frame = torch.tensor([0.9, 0.7, 0.6])[None, :, None, None].repeat(1, 1, 9, 9)
    residual = 0.1 * frame
    torch.testing.assert_close(project(residual, frame), residual, rtol=0, atol=1e-4)


def test_padding_is_ignored(photo):
    residual = torch.sin(7 * photo)
    alone = project(residual, photo)
    padding = (0, 10, 0, 20)
    mask = F.pad(torch.ones(1, 1, 48, 64), padding)
    padded = project(F.pad(residual, padding, value=5.0), F.pad(photo, padding), mask)
    torch.testing.assert_close(padded[..., :48, :64], alone)


def test_photos_of_a_batch_are_independent(photo):
    photos = torch.cat([photo, photo.flip(1) ** 2])
    residuals = torch.cos(4 * photos)
    alone = project(residuals[1:], photos[1:])
    torch.testing.assert_close(project(residuals, photos)[1:], alone)


def test_gradients_are_projected_as_well(photo):
    photo[..., 32:] = photo[..., :32]
    residual = torch.zeros_like(photo, requires_grad=True)
    project(residual, photo)[..., 5, 7].sum().backward()
    gradient = residual.grad
    assert gradient is not None and gradient.abs().max() > 0
    torch.testing.assert_close(gradient[..., 32:], gradient[..., :32])


def test_it_can_be_evaluated_at_another_size(photo):
    large = F.interpolate(photo, scale_factor=2)  # every pixel four times
    found = project(torch.sin(5 * photo), photo, at=large)
    torch.testing.assert_close(found, project(torch.sin(5 * large), large), rtol=0, atol=1e-4)
