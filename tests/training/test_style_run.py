from dataclasses import replace

import numpy as np
import pytest
from skimage import data

from enhance_cli.config.data import DataConfig, Source
from enhance_cli.config.model import ModelConfig
from enhance_cli.config.training import StyleConfig
from enhance_cli.errors import PairsError, TrainingError, UsageError
from enhance_cli.inference.enhancer import Enhancer
from enhance_cli.inference.weights import load_weights, save_weights
from enhance_cli.inference.weights_file import Provenance, describe_weights
from enhance_cli.models.cascade import Cascade
from enhance_cli.training.preparation import prepare_style
from enhance_cli.training.style_run import MIXED, NOT_COLOR, StyleRun


def matte(pixels):
    """Flatter, and warmer: what the edits of these tests have in common."""
    return (40 + 0.7 * pixels * np.array([1, 0.97, 0.85])).round().astype(np.uint8)


def parts(count):
    """Photos of 96 x 64 pixels: parts of two real ones."""
    draw = np.random.default_rng(1)
    for number in range(count):
        source = (data.coffee(), data.astronaut())[number % 2]
        top, left = draw.integers(0, 250, 2)
        yield source[top : top + 128 : 2, left : left + 192 : 2]


@pytest.fixture
def edits(tmp_path, write_photo):
    """Write a folder of edits."""

    def write(count, edit=matte):
        root = tmp_path / "edits"
        for number, pixels in enumerate(parts(count)):
            write_photo(root / "before" / f"p{number:02}.png", pixels)
            write_photo(root / "after" / f"p{number:02}.png", edit(pixels))
        return root

    return write


@pytest.fixture
def config(tmp_path, brightening_weights):
    def config(root, **options):
        data_config = DataConfig((Source("pairs", root),), skip_bad_pairs=True)
        out = tmp_path / "styled.safetensors"
        given = StyleConfig(data_config, out, brightening_weights, device="cpu")
        return replace(given, **options)

    return config


def made(config):
    run = StyleRun(config, prepare_style(config))
    for _ in run.render_missing():
        pass
    for _ in run:
        pass
    return run


def test_the_result_is_the_style_of_the_edits_at_any_size(edits, config, brightening_weights):
    config = config(edits(12))
    run = made(config)
    run.write(run.fit())
    plain, styled = Enhancer.load(brightening_weights), Enhancer.load(config.out)
    for photo in (next(parts(1)), data.coffee()):
        before, after = plain.enhance(photo, long_edge=None), styled.enhance(photo, long_edge=None)
        assert np.abs(after - matte(photo).astype(float)).mean() < 3, "not the edit"
        assert np.abs(before - matte(photo).astype(float)).mean() > 15
    coarse = styled.enhance(photo, coarse_only=True)
    assert np.array_equal(coarse, plain.enhance(photo, coarse_only=True))


def test_the_file_says_what_it_is_made_of(edits, config, brightening_weights):
    config = config(edits(6))
    run = made(config)
    result = run.fit()
    run.write(result)
    described = describe_weights(config.out)
    assert described.config == replace(describe_weights(brightening_weights).config, style=True)
    assert {"a0001", "mine/a", "edits/p00"} <= set(described.provenance.trained_on)
    assert described.provenance.recipe["style"]["pairs"] == 6
    assert described.provenance.figures["with_style"]["psnr"] == result.gain.styled.psnr


def test_a_style_is_replaced_not_stacked(edits, config, tmp_path):
    first = config(edits(6))
    run = made(first)
    run.write(run.fit())
    second = replace(first, init=first.out, out=tmp_path / "second.safetensors")
    run = made(second)
    run.write(run.fit())
    once, twice = (load_weights(path).model.style for path in (first.out, second.out))
    assert once is not None and twice is not None
    assert all(tensor.equal(twice.state_dict()[name]) for name, tensor in once.state_dict().items())


def test_odd_pairs_are_left_out_with_the_reason(edits, config, write_photo):
    root = edits(10)
    pixels = list(parts(10))
    write_photo(root / "after" / "p03.png", np.roll(matte(pixels[3]), 2, axis=1))
    write_photo(root / "after" / "p06.png", 255 - pixels[6])
    result = made(config(root)).fit()
    reasons = {bad.key: bad.reason for bad in result.left_out}
    assert reasons == {"edits/p03": NOT_COLOR, "edits/p06": MIXED}
    assert len(result.pairs) == 8


def test_originals_without_an_edit_are_left_out(edits, config, write_photo):
    root = edits(5)
    write_photo(root / "before" / "unedited.png", next(parts(1)))
    run = made(config(root))
    assert [bad.key for bad in run.pairs.bad] == ["edits/unedited"]
    assert len(run.fit().pairs) == 5


def test_without_gain_nothing_is_written_unless_asked(edits, config):
    draw = np.random.default_rng(0)

    def at_random(pixels):
        return (pixels * draw.uniform(0.7, 1.3) + 25.5).clip(0, 255).astype(np.uint8)

    settings = config(edits(12, at_random))
    run = made(settings)
    result = run.fit()
    with pytest.raises(TrainingError, match="no clear gain on held-out edits"):
        run.write(result)
    assert not settings.out.exists()
    run = made(replace(settings, even_without_gain=True))
    run.write(run.fit())
    assert describe_weights(settings.out).config.style


def test_two_pairs_are_too_few(edits, config):
    with pytest.raises(PairsError, match="2 of the pairs can be used, and a style needs"):
        made(config(edits(2))).fit()


def test_no_pair_is_said_so(edits, config):
    root = edits(1)
    (root / "after" / "p00.png").rename(root / "after" / "q.png")
    with pytest.raises(PairsError, match="no photo is in both folders, under the same name"):
        prepare_style(config(root))


def test_networks_whose_result_is_no_function_of_color_are_refused(edits, config, identity_weights):
    with pytest.raises(UsageError, match="not one function of color"):
        prepare_style(config(edits(3), init=identity_weights))


def test_weights_that_are_there_stay(edits, config):
    settings = config(edits(3))
    settings.out.write_bytes(b"mine")
    with pytest.raises(UsageError, match="already exists"):
        prepare_style(settings)
    run = made(replace(settings, on_conflict="overwrite"))
    run.write(run.fit())
    assert describe_weights(settings.out).config.style


def test_a_cascade_with_both_networks_can_have_a_style(edits, config, tmp_path):
    path = tmp_path / "global.safetensors"
    model = Cascade(ModelConfig(input_side=32, fit="squash", prnet="global", prnet_input_edge=64))
    save_weights(path, model, Provenance())
    settings = config(edits(6), init=path)
    run = made(settings)
    run.write(run.fit())
    photo = next(parts(1))
    result = Enhancer.load(settings.out).enhance(photo)
    assert np.abs(result - matte(photo).astype(float)).mean() < 3
