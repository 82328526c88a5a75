"""Results of the shipped weights on frames and photos that they were not trained on."""

import hashlib

import numpy as np
import pytest
import torch
from skimage import data
from skimage.color import rgb2lab

from enhance_cli import Enhancer
from enhance_cli.config.recipe_file import load_recipe
from enhance_cli.data.splits import held_out_keys
from enhance_cli.evaluation.scoring import enhance_pixels
from enhance_cli.imaging.photo import Photo
from enhance_cli.inference.networks.torch_networks import TorchNetworks
from enhance_cli.inference.weights import load_weights
from enhance_cli.inference.weights_file import find_weights

SIDE = 64

JUST_NOTICEABLE = 2.3
"""CIELab distance of a just noticeable difference (Mahy et al. 1994)."""


@pytest.fixture(scope="module")
def shipped():
    return load_weights(find_weights(None))


@pytest.fixture(scope="module")
def enhance(shipped):
    """The function from a photo, ``(H, W, 3)`` uint8, to its result, as it would be written."""

    def run(photo: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            enhanced = shipped.model.eval()(batch).enhanced[0].permute(1, 2, 0)
        assert enhanced.isfinite().all()
        return (enhanced.clamp(0, 1) * 255).round().to(torch.uint8).numpy()

    return run


def uniform(*color: int) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), color, np.uint8)


def test_the_file_is_the_one_that_the_model_card_describes():
    path = find_weights(None)
    card = (path.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert path.stat().st_size <= 60_000_000
    assert f"{path.stat().st_size / 1e6:.1f} MB" in card


def test_the_model_is_that_of_the_recipe_that_the_model_card_names(shipped):
    assert shipped.model.config == load_recipe("large").model


@pytest.mark.parametrize("split", ["validation50", "unseen28"])
def test_no_held_out_photo_was_trained_on(shipped, split):
    learned = set(shipped.provenance.trained_on)
    held_out = held_out_keys(split)
    renderings = {key.partition("fivek-")[2][:4] for key in learned if "fivek-" in key}
    assert len(learned) > 2_000 and len(renderings) > 100
    assert not learned & held_out
    assert not renderings & {key.removeprefix("a")[:4] for key in held_out}


@pytest.mark.parametrize("level", [0, 20, 60, 128, 200, 235, 255])
def test_a_uniform_frame_shows_no_texture(enhance, level):
    result = rgb2lab(enhance(uniform(level, level, level)))
    differences = np.linalg.norm(result - result.mean((0, 1)), axis=-1)
    assert differences.max() < JUST_NOTICEABLE


def test_black_stays_black_and_white_stays_white(enhance):
    assert enhance(uniform(0, 0, 0)).max() <= 5
    assert enhance(uniform(255, 255, 255)).min() >= 250


def test_plain_frames_of_almost_any_color_are_left_unchanged(shipped):
    levels = (torch.arange(8) + 0.5) / 8  # the centers of 512 equal cubes of colors
    colors = torch.cartesian_prod(levels, levels, levels)
    frames = colors[:, :, None, None].expand(-1, 3, 32, 32)
    with torch.inference_mode():
        enhanced = shipped.model.eval()(frames).enhanced.clamp(0, 1).mean((2, 3))
    changes = np.linalg.norm(rgb2lab(enhanced.numpy()) - rgb2lab(colors.numpy()), axis=-1)
    assert np.mean(changes > JUST_NOTICEABLE) < 0.1
    assert changes.mean() < 1


@pytest.mark.parametrize("size", [64, 256])
def test_a_clipped_sky_stays_white_above_dark_land(enhance, size):
    photo = np.full((size, size, 3), 255, np.uint8)
    photo[size // 2 :] = 40
    photo[size // 2 :, ::8] = 70
    sky = enhance(photo)[: size // 2 - 8]
    assert sky.min() >= 240 and sky.mean() >= 250


def test_noise_gets_no_color_cast(enhance):
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    before, after = (rgb2lab(photo)[..., 1:].mean((0, 1)) for photo in (noise, enhance(noise)))
    assert np.abs(after - before).max() < 5


def test_a_ramp_stays_in_order(enhance):
    ramp = np.repeat(np.tile(np.arange(256, dtype=np.uint8), (64, 1))[..., None], 3, axis=2)
    levels = enhance(ramp).astype(float).mean((0, 2))
    smooth = np.convolve(levels, np.ones(8) / 8, mode="valid")
    assert np.diff(smooth).min() > -0.6  # the result need not be strictly monotonic within a level


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_a_low_contrast_photo_gets_closer_to_its_original(enhance, name):
    photo = getattr(data, name)()[::2, ::2]
    flat = (30 + photo * 0.45).astype(np.uint8)
    errors = [
        np.linalg.norm(rgb2lab(pixels) - rgb2lab(photo), axis=-1).mean()
        for pixels in (flat, enhance(flat))
    ]
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
@pytest.mark.parametrize("flatten", [False, True])
def test_fused_batch_norm_agrees_with_the_networks_as_trained(shipped, name, flatten):
    photo = Photo(getattr(data, name)()).fit_within(500).pixels
    photo = (30 + photo * 0.45).astype(np.uint8) if flatten else photo
    unfused = Enhancer(TorchNetworks(shipped.model, torch.device("cpu")))
    plain = enhance_pixels(unfused, photo.astype(np.float32) / 255)
    default = Enhancer.load(device="cpu").enhance(photo)
    difference = np.abs(default - (255 * plain).round())
    assert difference.mean() < 0.1 and difference.max() <= 2
