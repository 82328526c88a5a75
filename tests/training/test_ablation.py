from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from enhance_cli.config.data import DataConfig, Source
from enhance_cli.config.model import VARIANTS, ModelConfig
from enhance_cli.config.training import Recipe, StageConfig, TrainConfig
from enhance_cli.errors import UsageError
from enhance_cli.inference.weights import load_weights
from enhance_cli.training.ablation import Ablation

pytestmark = pytest.mark.usefixtures("small_backbone")


@pytest.fixture
def config(tmp_path, write_pairs) -> TrainConfig:
    coarse = StageConfig(epochs=2, batch_size=2)
    refine = replace(coarse, name="refine", trains="prnet", crop=32)
    return TrainConfig(
        recipe=Recipe(model=ModelConfig(input_side=64, fit="squash"), stages=(coarse, refine)),
        data=DataConfig((Source("fivek", write_pairs()),)),
        out=tmp_path / "table1",
        device="cpu",
    )


def test_all_five_methods_are_trained_and_the_cascades_share_one_cenet(config):
    reports = list(Ablation(config))
    assert [report.variant for report in reports] == [one for one in VARIANTS for _ in range(2)]
    files = {path.name for path in config.out.iterdir()}
    assert files == {f"{variant}.safetensors" for variant in VARIANTS}
    alone = load_file(config.out / "ce.safetensors")
    for variant in ("ce+pr", "ce+prnl"):
        both = load_file(config.out / f"{variant}.safetensors")
        assert all(torch.equal(tensor, both[name]) for name, tensor in alone.items())
        assert load_weights(config.out / f"{variant}.safetensors").model.config.variant == variant


def test_an_interrupted_run_continues(config):
    reports = iter(Ablation(config))
    for _ in range(3):  # ce is done, pr has one epoch behind it
        next(reports)
    reports.close()
    rest = list(Ablation(replace(config, resume=True)))
    assert [(report.variant, report.epoch) for report in rest[:2]] == [("pr", 2), ("prnl", 1)]
    assert len(rest) == 7


@pytest.mark.parametrize(
    "change", [{"init": "w.safetensors"}, {"stages": ("refine",)}, {"out": "w.safetensors"}]
)
def test_contradicting_options_are_refused(config, change, tmp_path):
    change = {
        name: tmp_path / value if name != "stages" else value for name, value in change.items()
    }
    with pytest.raises(UsageError, match="variant all"):
        Ablation(replace(config, **change))


def test_a_recipe_that_lacks_a_stage_is_refused_before_anything_is_trained(config):
    recipe = replace(config.recipe, stages=config.recipe.stages[:1])
    with pytest.raises(UsageError, match="the recipe has no stage that trains pr"):
        Ablation(replace(config, recipe=recipe))
