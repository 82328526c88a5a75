import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from enhance_cli.training.losses import photo_losses, rgb_to_lab


def test_mse_is_eq_4_over_the_pixels_of_the_photo():
    predicted, expert = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.5)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :3] = 1
    predicted[..., 2:, :] = 99  # padding
    assert photo_losses("mse", predicted, expert, mask).item() == pytest.approx(0.25)
    assert photo_losses("l1", predicted, expert, mask).item() == pytest.approx(0.5)


def test_the_loss_of_a_photo_does_not_depend_on_its_padding():
    expert = torch.zeros(2, 3, 4, 4)
    predicted = torch.stack([torch.full((3, 4, 4), 0.2), torch.full((3, 4, 4), 0.4)])
    mask = torch.ones(2, 1, 4, 4)
    mask[1, :, 1:] = 0
    assert photo_losses("l1", predicted, expert, mask).tolist() == pytest.approx([0.2, 0.4])


def test_lab_agrees_with_scikit_image():
    photo = torch.rand(1, 3, 32, 32, dtype=torch.float64, generator=torch.manual_seed(0))
    photo[..., :8, :] *= 0.05  # the linear ends of both curves
    expected = rgb2lab(photo[0].permute(1, 2, 0).numpy())
    got = rgb_to_lab(photo)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(got, expected, atol=2e-3)


@pytest.mark.parametrize("kind", ["mse", "l1", "lab"])
def test_gradients_are_finite_at_zero_loss_at_black_and_out_of_range(kind):
    expert = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    for shift in (0, -0.3, 0.3):
        predicted = (expert + shift).clone().requires_grad_()
        photo_losses(kind, predicted, expert, torch.ones(1, 1, 1, 3)).sum().backward()
        assert predicted.grad is not None and torch.isfinite(predicted.grad).all()


@pytest.mark.parametrize("kind", ["l1", "lab"])
def test_beyond_white_is_right_only_where_the_expert_is_white(kind):
    predicted = torch.full((1, 3, 2, 2), 1.3, requires_grad=True)
    expert = torch.full((1, 3, 2, 2), 0.9)
    expert[..., 1] = 1
    photo_losses(kind, predicted, expert, torch.ones(1, 1, 2, 2)).sum().backward()
    assert predicted.grad is not None
    assert (predicted.grad[..., 0] > 0).all(), "pulled back"
    assert not predicted.grad[..., 1].any(), "left as it is"
