import math

import numpy as np
import pytest
import torch
from skimage import data
from torch.nn import functional as F

from enhance_cli.models.color_function import ColorFunction
from enhance_cli.models.style import style_features
from enhance_cli.training.style_fit import (
    Distance,
    Edit,
    Gain,
    StyleFit,
    beyond_color,
    far_from,
)

IDENTITY = ColorFunction(None)


def photos(count):
    """Parts of two photos, each brightened or darkened a little: ``(1, 3, 40, 40)`` each."""
    draw = np.random.default_rng(0)
    sources = [data.coffee(), data.astronaut()]
    for number in range(count):
        source = sources[number % 2]
        top, left = draw.integers(0, 300, 2)
        part = source[top : top + 80 : 2, left : left + 80 : 2]
        gain = draw.uniform(0.6, 1)
        yield torch.from_numpy(part / 255 * gain).float().permute(2, 0, 1)[None]


def edit_of(photo, after, function=IDENTITY):
    features = style_features(function, photo)[0]
    before, after = (one.flatten(2)[:, :, None] for one in (photo, after.clamp(0, 1)))
    return Edit(function, photo, features, before, after)


def warmer_and_flatter(photo):
    return 0.1 + 0.75 * photo * torch.tensor([1.0, 0.95, 0.8])[:, None, None]


def to_one_brightness(photo):
    return photo + (0.4 - photo.mean())


@pytest.fixture(scope="module")
def consistent():
    return StyleFit([edit_of(photo, warmer_and_flatter(photo)) for photo in photos(24)])


def test_a_consistent_style_is_found(consistent):
    style = consistent.fit().style
    for photo in photos(30):
        styled = style(IDENTITY, photo)(photo)
        torch.testing.assert_close(styled, warmer_and_flatter(photo), rtol=0, atol=0.02)


def test_its_gain_on_held_out_edits_is_what_new_photos_show(consistent):
    gain = consistent.gain()
    before = [
        -10 * math.log10(float((warmer_and_flatter(photo) - photo).square().mean()))
        for photo in photos(24)
    ]
    assert gain.without.psnr == pytest.approx(np.mean(before), abs=0.05)
    assert gain.is_clear and gain.psnr > 15 and gain.styled.l2_lab < gain.without.l2_lab / 5


def test_a_style_that_depends_on_the_photo_uses_its_features():
    fit = StyleFit([edit_of(photo, to_one_brightness(photo)) for photo in photos(40)])
    assert fit.fit().penalty.features is not None
    assert fit.gain().is_clear
    style = fit.fit().style
    errors = [(style(IDENTITY, photo)(photo).mean() - 0.4).abs().item() for photo in photos(10)]
    spread = [(photo.mean() - 0.4).abs().item() for photo in photos(10)]
    assert np.mean(errors) < np.mean(spread) / 2


def test_edits_without_a_style_show_no_gain():
    draw = torch.Generator().manual_seed(0)
    edits = [
        edit_of(photo, photo * (1 + 0.4 * (torch.rand(3, 1, 1, generator=draw) - 0.5)))
        for photo in photos(24)
    ]
    assert not StyleFit(edits).gain().is_clear


def test_a_gain_must_exceed_what_chance_gives():
    def gain(psnr, l2_lab, error):
        return Gain(Distance(20.0, 10.0), Distance(psnr, l2_lab), error)

    assert gain(21.0, 9.0, 0.5).is_clear
    assert not gain(21.0, 9.0, 1.5).is_clear
    assert not gain(21.0, 10.5, 0.5).is_clear


@pytest.mark.parametrize("cropped", [0.9, 0.8])
def test_a_cropped_edit_is_more_than_a_change_of_color(cropped):
    edits = [edit_of(photo, warmer_and_flatter(photo)) for photo in photos(9)]
    photo = next(photos(1))
    side = round(40 * cropped)
    moved = F.interpolate(photo[..., :side, :side], (40, 40), mode="bilinear")
    assert beyond_color([*edits, edit_of(photo, moved)]) == [False] * 9 + [True]


def test_black_and_white_is_a_change_of_color():
    edits = [edit_of(photo, photo.mean(1, keepdim=True).expand_as(photo)) for photo in photos(5)]
    assert not any(beyond_color(edits))


def test_an_edit_in_another_style_is_far_off():
    edits = [edit_of(photo, warmer_and_flatter(photo)) for photo in photos(20)]
    odd = next(photos(1))
    errors = StyleFit([*edits, edit_of(odd, 1 - odd)]).errors()
    assert far_from(errors) == [False] * 20 + [True]
