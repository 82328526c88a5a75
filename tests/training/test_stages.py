from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from enhance_cli.config.model import ModelConfig
from enhance_cli.config.training import Recipe, StageConfig, TrainConfig
from enhance_cli.data.dataset import Sample
from enhance_cli.errors import UsageError
from enhance_cli.models.cascade import Cascade
from enhance_cli.training.preparation import stages_to_run
from enhance_cli.training.stages import FULL_SIZE_FROM, make_stage

RECIPE = Recipe(model=ModelConfig(input_side=32, fit="squash"))
COARSE = StageConfig(name="coarse", trains="cenet")
REFINE = StageConfig(name="refine", trains="prnet")
PROJECTED = replace(REFINE, name="refine_projected", projected=True)


@pytest.fixture
def model(small_backbone):  # noqa: ARG001
    """A cascade whose CENet makes every photo 0.2 brighter."""
    cascade = Cascade(RECIPE.model)
    with torch.no_grad():
        cascade.cenet.head[-1].bias[9:] = 0.2
    return cascade


def test_prnet_is_trained_on_the_output_of_cenet(model):
    seen = []

    def net(coarse, photo):
        seen.extend((coarse, photo))
        return torch.zeros_like(coarse)

    original = torch.rand(3, 3, 16, 16) * 0.5
    batch = Sample(
        original, original, torch.ones(3, 1, 16, 16), torch.rand(3, 3, 32, 32), torch.arange(3)
    )
    stage = make_stage(REFINE, RECIPE, model, Fabric(accelerator="cpu", devices=1))
    losses = stage.losses(net, batch)
    torch.testing.assert_close(seen[0], original + 0.2)
    assert torch.equal(seen[1], original)
    torch.testing.assert_close(losses, torch.full((3,), 0.04))  # eq. 4's square


def test_the_loss_of_a_projected_stage_is_that_of_the_projected_residual(model):
    """A net that brightens the left half only, of photos that are alike left and right."""
    half = torch.rand(2, 3, 16, 8) * 0.5
    original = torch.cat([half, half], -1)
    mask = torch.ones(2, 1, 16, 16)
    batch = Sample(original, original + 0.2, mask, torch.rand(2, 3, 32, 32), torch.arange(2))
    left = torch.zeros_like(original)
    left[..., :8] = 0.1
    recipe = replace(RECIPE, model=replace(RECIPE.model, prnet="global", prnet_input_edge=64))
    fabric = Fabric(accelerator="cpu", devices=1)
    for stage, expected in (
        (REFINE, 0.1**2 / 2),  # half of the pixels are wrong by 0.1
        (PROJECTED, 0.05**2),  # all are by half of that
    ):
        losses = make_stage(stage, recipe, model, fabric).losses(lambda *_: left, batch)
        torch.testing.assert_close(losses, torch.full((2,), expected), rtol=0, atol=1e-5)


def test_growing_crops_are_full_for_the_last_quarter(model):
    fabric = Fabric(accelerator="cpu", devices=1)
    growing = replace(REFINE, epochs=20, crop=128, initial_crop=32)
    refine = make_stage(growing, RECIPE, model, fabric).crop
    coarse = make_stage(replace(COARSE, epochs=20, initial_crop=16), RECIPE, model, fabric).crop
    assert FULL_SIZE_FROM == 0.75
    assert [refine.at(epoch).side for epoch in (0, 14, 15, 19)] == [32, 112, 128, 128]
    assert [coarse.at(epoch).side for epoch in (0, 15)] == [16, 32]


@pytest.mark.parametrize(
    ("variant", "prnet", "expected"),
    [
        ("ce+prnl", "global", ["coarse", "refine", "refine_projected"]),
        ("ce+prnl", "per-pixel", ["coarse", "refine"]),
        ("ce", "global", ["coarse"]),
        ("prnl", "global", ["refine", "refine_projected"]),
    ],
)
def test_a_run_has_the_stages_whose_network_the_model_has(variant, prnet, expected):
    model = replace(RECIPE.model, variant=variant, prnet=prnet)
    recipe = replace(RECIPE, model=model, stages=(COARSE, REFINE, PROJECTED))
    assert [stage.name for stage in stages_to_run(TrainConfig(recipe=recipe))] == expected


def test_unknown_stages_are_refused():
    with pytest.raises(UsageError, match=r"--stages polish: .* choose from coarse, refine"):
        stages_to_run(TrainConfig(recipe=RECIPE, stages=("polish",)))
    only_prnet = replace(RECIPE, model=replace(RECIPE.model, variant="ce"), stages=(REFINE,))
    with pytest.raises(UsageError, match="no stage that trains ce"):
        stages_to_run(TrainConfig(recipe=only_prnet))


def test_a_network_none_of_whose_stages_runs_is_refused():
    projected_alone = replace(RECIPE, stages=(COARSE, PROJECTED))
    assert RECIPE.model.prnet == "per-pixel"
    with pytest.raises(UsageError, match=r"refine_projected does not run.*projected.*per-pixel"):
        stages_to_run(TrainConfig(recipe=projected_alone))
    chosen = TrainConfig(recipe=projected_alone, stages=("coarse",))
    assert [stage.name for stage in stages_to_run(chosen)] == ["coarse"]
    whole = replace(projected_alone, stages=(COARSE, REFINE, PROJECTED))
    assert [stage.name for stage in stages_to_run(TrainConfig(recipe=whole))] == [
        "coarse",
        "refine",
    ]
    color_alone = replace(projected_alone, model=replace(RECIPE.model, variant="ce"))
    assert [stage.name for stage in stages_to_run(TrainConfig(recipe=color_alone))] == ["coarse"]
