from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from enhance_cli.config.model import VARIANTS, ModelConfig
from enhance_cli.models.cascade import Cascade, pad_to_square
from enhance_cli.models.color_polynomial import evaluate_color_polynomial, fit_color_polynomial


def with_random_output(model: Cascade) -> Cascade:
    if model.cenet is not None:
        nn.init.normal_(model.cenet.head[-1].weight, std=0.1)
    if model.prnet is not None:
        nn.init.normal_(model.prnet.to_rgb.weight, std=0.1)
    return model


@pytest.mark.parametrize("fit", ["pad", "squash"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_starts_as_identity_at_odd_sizes(variant, fit):
    model = Cascade(ModelConfig(variant, input_side=64, fit=fit)).eval()
    photo = torch.rand(2, 3, 37, 61)
    with torch.no_grad():
        result = model(photo)
    assert result.enhanced.shape == photo.shape
    assert torch.equal(result.enhanced, photo)


@pytest.mark.parametrize(
    ("variant", "parts"),
    [("ce", "m"), ("pr", "r"), ("prnl", "r"), ("ce+pr", "mr"), ("ce+prnl", "mr")],
)
def test_a_variant_has_exactly_its_parts(variant, parts):
    model = Cascade(ModelConfig(variant, input_side=64)).eval()
    with torch.no_grad():
        result = model(torch.rand(1, 3, 20, 30))
    assert (result.mapping is not None) == ("m" in parts)
    assert (result.residual is not None) == ("r" in parts)


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_the_parts_add_up_as_eq_1_says(fit):
    torch.manual_seed(1)
    model = with_random_output(Cascade(ModelConfig(input_side=64, fit=fit))).eval()
    photo = torch.rand(1, 3, 40, 50)
    with torch.no_grad():
        result = model(photo)
    r_c = result.mapping.residual(photo)
    torch.testing.assert_close(result.coarse, photo + r_c)
    torch.testing.assert_close(result.enhanced, photo + r_c + result.residual)
    assert result.residual.abs().max() > 1e-3


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_the_residual_is_projected_onto_color_polynomials(fit):
    torch.manual_seed(3)
    config = ModelConfig(input_side=64, fit=fit)
    model = with_random_output(Cascade(config)).eval()
    photo = torch.rand(1, 3, 40, 50)
    with torch.no_grad():
        free = model(photo)
        model.config = replace(config, prnet="global", prnet_input_edge=64)
        projected = model(photo)
    expected = evaluate_color_polynomial(fit_color_polynomial(free.residual, photo), photo)
    torch.testing.assert_close(projected.residual, expected)
    torch.testing.assert_close(projected.enhanced, projected.coarse + projected.residual)


def test_a_global_prnet_sees_a_large_photo_downscaled():
    torch.manual_seed(4)
    model = with_random_output(
        Cascade(ModelConfig(fit="squash", input_side=64, prnet="global", prnet_input_edge=64))
    ).eval()
    inputs = []
    assert model.prnet is not None
    model.prnet.register_forward_hook(lambda _, given, __: inputs.append(given[0]))
    large = F.interpolate(torch.rand(1, 3, 6, 4), (192, 120), mode="bilinear")
    small = F.avg_pool2d(large, 3)
    with torch.no_grad():
        from_small, from_large = model(small).residual, model(large).residual
    assert [photo.shape[2:] for photo in inputs] == [(64, 40), (64, 40)]
    assert from_large.shape == large.shape
    difference = F.avg_pool2d(from_large, 3) - from_small
    assert difference.abs().mean() < 0.1 * from_small.abs().mean()


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_highlights_are_protected_and_nothing_else(fit):
    """On white, no result is darker than the photo."""
    torch.manual_seed(2)
    config = ModelConfig(input_side=64, fit=fit)
    model = with_random_output(Cascade(config)).eval()
    photo = torch.rand(1, 3, 40, 50)
    photo[..., :20, :] = 1
    photo[..., 20:24, :] = 0.95  # half way to white
    with torch.no_grad():
        free = model(photo)
        model.config = replace(config, protect_highlights=True)
        protected = model(photo)
    goal = torch.maximum(free.enhanced, photo)
    white, halfway = protected.enhanced[..., :20, :], protected.enhanced[..., 20:24, :]
    torch.testing.assert_close(white, goal[..., :20, :])
    torch.testing.assert_close(halfway, (free.enhanced + goal)[..., 20:24, :] / 2)
    assert (white > free.enhanced[..., :20, :]).any()  # otherwise nothing was tested
    r, g, b = photo.unbind(1)
    dark = (0.2126 * r + 0.7152 * g + 0.0722 * b < 0.9)[:, None].expand_as(photo)
    torch.testing.assert_close(protected.enhanced[dark], free.enhanced[dark])
    torch.testing.assert_close(protected.enhanced, protected.coarse + protected.residual)


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_shadows_are_protected_and_nothing_else(fit):
    """In 8 bits, no level becomes 0, darker levels stay darker, and results above 4 are as before.

    The model is made to darken everything to black or below.
    """
    torch.manual_seed(2)
    config = ModelConfig(input_side=64, fit=fit)
    model = Cascade(config).eval()
    assert model.prnet is not None and model.prnet.to_rgb.bias is not None
    nn.init.constant_(model.prnet.to_rgb.bias, -0.5)
    photo = torch.rand(1, 3, 40, 50)
    photo[0, :, 0] = torch.linspace(0, 49 / 255, 50)
    with torch.no_grad():
        free = model(photo)
        model.config = replace(config, protect_shadows=True)
        protected = model(photo)
    levels = (protected.enhanced[0, :, 0] * 255).round()
    assert (free.enhanced[0, :, 0] < 0).all() and (levels[:, 0] == 0).all()
    assert levels[:, 1:].min() >= 1 and levels.max() <= 4
    assert (protected.enhanced[0, :, 0].diff() > 0).all()
    kept = free.enhanced > 4 / 255
    torch.testing.assert_close(protected.enhanced[kept], free.enhanced[kept])
    assert (protected.enhanced[~kept] <= 4 / 255).all()
    torch.testing.assert_close(protected.enhanced, protected.coarse + protected.residual)


def test_coarse_only_skips_the_residual():
    model = with_random_output(Cascade(ModelConfig(input_side=64))).eval()
    photo = torch.rand(1, 3, 40, 50)
    with torch.no_grad():
        whole, coarse = model(photo), model(photo, coarse_only=True)
    assert coarse.residual is None
    torch.testing.assert_close(coarse.enhanced, whole.coarse)


@pytest.mark.parametrize("fit", ["pad", "squash"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_photo_does_not_depend_on_its_batch(variant, fit):
    torch.manual_seed(0)
    model = with_random_output(Cascade(ModelConfig(variant, input_side=64, fit=fit))).eval()
    photos = torch.rand(3, 3, 45, 64)
    with torch.no_grad():
        together, alone = model(photos).enhanced[2], model(photos[2:]).enhanced[0]
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_padding_beforehand_changes_nothing():
    """A single photo is padded in the same way as a batch in training."""
    torch.manual_seed(0)
    model = with_random_output(Cascade(ModelConfig(input_side=64))).eval()
    photo = torch.rand(1, 3, 40, 50)
    with torch.no_grad():
        padded = model(pad_to_square(photo, 64)).enhanced[..., :40, :50]
        torch.testing.assert_close(model(photo).enhanced, padded)


def test_squash_resizes_the_whole_photo_to_a_square_for_cenet():
    torch.manual_seed(0)
    model = with_random_output(Cascade(ModelConfig("ce", input_side=64, fit="squash"))).eval()
    photo = torch.zeros(1, 3, 100, 200)
    photo[..., 100:] = 0.5  # left half black, right half grey
    square = torch.zeros(1, 3, 64, 64)
    square[..., 32:] = 0.5
    with torch.no_grad():
        squashed = model._square(photo)
        mapping = model(photo).mapping
        expected = model.cenet(squashed)
    torch.testing.assert_close(squashed[..., 4:-4], square[..., 4:-4], atol=0.26, rtol=0)
    torch.testing.assert_close(squashed.mean(), square.mean(), atol=1e-3, rtol=0)
    torch.testing.assert_close(mapping.matrix, expected.matrix)


def test_gradients_reach_both_networks():
    model = with_random_output(Cascade(ModelConfig(input_side=64))).train()
    model(torch.rand(2, 3, 40, 50)).enhanced.square().sum().backward()
    for first in (model.cenet.backbone.conv1, model.prnet.down[0][0]):
        assert first.weight.grad is not None and first.weight.grad.abs().sum() > 0


def test_a_photo_larger_than_the_square_is_refused():
    with pytest.raises(ValueError, match="65 x 10"):
        Cascade(ModelConfig(input_side=64))(torch.rand(1, 3, 10, 65))
