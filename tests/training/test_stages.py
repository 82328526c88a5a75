from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from enhance_cli.config import ModelConfig, StageConfig, TrainConfig
from enhance_cli.data.dataset import Sample
from enhance_cli.training.stages import FULL_SIZE_FROM, coarse_stage, finish_stage, refine_stage
from enhance_cli.models.cascade import Cascade

CONFIG = TrainConfig(model=ModelConfig(input_side=32, fit="squash"))


@pytest.fixture
def model(small_backbone):  # noqa: ARG001
    """A cascade whose CENet makes every photo 0.2 brighter."""
    cascade = Cascade(CONFIG.model)
    with torch.no_grad():
        cascade.cenet.head[-1].bias[9:] = 0.2
    return cascade


def test_prnet_learns_from_what_cenet_makes_of_the_photos(model):
    seen = []

    def net(photo):
        seen.append(photo)
        return torch.zeros_like(photo)

    original = torch.rand(3, 3, 16, 16) * 0.5
    batch = Sample(
        original, original, torch.ones(3, 1, 16, 16), torch.rand(3, 3, 32, 32), torch.arange(3)
    )
    stage = refine_stage(CONFIG, model, Fabric(accelerator="cpu", devices=1))
    losses = stage.losses(net, batch)
    torch.testing.assert_close(seen[0], original + 0.2)
    torch.testing.assert_close(losses, torch.full((3,), 0.04))  # eq. 4's square


def test_in_the_end_prnet_is_measured_by_what_colour_leaves_of_it(model):
    """A net that brightens the left half only, of photos that are alike left and right."""
    half = torch.rand(2, 3, 16, 8) * 0.5
    original = torch.cat([half, half], -1)
    mask = torch.ones(2, 1, 16, 16)
    batch = Sample(original, original + 0.2, mask, torch.rand(2, 3, 32, 32), torch.arange(2))
    left = torch.zeros_like(original)
    left[..., :8] = 0.1
    config = replace(CONFIG, model=replace(CONFIG.model, by_colour=64))
    fabric = Fabric(accelerator="cpu", devices=1)
    for make_stage, expected in (
        (refine_stage, 0.1**2 / 2),  # half of the pixels are wrong by 0.1
        (finish_stage, 0.05**2),  # all are by half of that
    ):
        losses = make_stage(config, model, fabric).losses(lambda _: left, batch)
        torch.testing.assert_close(losses, torch.full((2,), expected), rtol=0, atol=1e-5)


def test_growing_squares_are_full_for_the_last_quarter(model):
    growing = StageConfig(epochs=20, crop=128, initial_crop=32)
    config = replace(CONFIG, coarse=replace(growing, initial_crop=16), refine=growing)
    refine = refine_stage(config, model, Fabric(accelerator="cpu", devices=1)).framing
    coarse = coarse_stage(config, model).framing
    assert FULL_SIZE_FROM == 0.75
    assert [refine.at(epoch).side for epoch in (0, 14, 15, 19)] == [32, 112, 128, 128]
    assert [coarse.at(epoch).side for epoch in (0, 15)] == [16, 32]
