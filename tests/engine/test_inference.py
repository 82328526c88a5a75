import numpy as np
import pytest
import torch

from enhance_cli.engine.inference import enhance_pixels
from enhance_cli.engine.weights import find_weights, load_weights


@pytest.fixture
def pixels(coffee):
    return coffee.astype(np.float32) / 255


def test_pixels_come_back_as_they_went_in(pixels, identity_weights):
    model = load_weights(identity_weights).model
    result = enhance_pixels(model, pixels, torch.device("cpu"))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, pixels)


def test_results_are_clamped(pixels, brightening_weights):
    model = load_weights(brightening_weights).model
    result = enhance_pixels(model, pixels, torch.device("cpu"))
    np.testing.assert_allclose(result, (pixels + 0.1).clip(0, 1), atol=1e-3)
    assert result.max() == 1


def test_coarse_only_differs_from_the_whole(pixels):
    model = load_weights(find_weights(None)).model
    whole, coarse = (
        enhance_pixels(model, 0.1 + 0.5 * pixels, torch.device("cpu"), coarse_only=only)
        for only in (False, True)
    )
    assert np.abs(whole - coarse).mean() > 1 / 255


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu(pixels):
    results = []
    for device in (torch.device("cpu"), torch.device("cuda")):
        model = load_weights(find_weights(None), device).model
        results.append(enhance_pixels(model, pixels, device))
    difference = np.abs(results[0] - results[1])
    assert difference.mean() < 1 / 255 and difference.max() < 4 / 255
