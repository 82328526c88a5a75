"""What `without_effect` lists changes nothing, and what it does not list changes something."""

from dataclasses import fields, replace
from functools import cache
from hashlib import md5

import pytest
import torch
from lightning_fabric import Fabric
from pictures import smooth
from PIL import Image
from torch import nn

from enhance_cli.config.effects import active_stages, without_effect
from enhance_cli.config.model import VARIANTS, ModelConfig
from enhance_cli.config.recipe_file import load_recipe
from enhance_cli.config.training import Recipe, StageConfig
from enhance_cli.data.dataset import PairDataset, Sample, SampleRef
from enhance_cli.data.pair_cache import PairCache
from enhance_cli.data.pairs import find_pairs
from enhance_cli.models.cascade import Cascade
from enhance_cli.models.cenet import CENet
from enhance_cli.models.prnet import PRNet
from enhance_cli.training.optimizer import learning_rate, make_optimizer
from enhance_cli.training.stages import make_stage

MODEL = ModelConfig(
    input_side=64, max_input_edge=32, prnet="global", prnet_input_edge=16, nonlocal_pool=2
)
STAGE = StageConfig(
    epochs=4,
    decay=0.5,
    decay_steps=3,
    crop=48,
    initial_crop=16,
    min_crop_scale=0.5,
    version_mixup=0.2,
    identity_share=0.2,
    synthetic_share=0.2,
    tile_shuffle=0.5,
)
COARSE, REFINE = STAGE, replace(STAGE, name="refine", trains="prnet")
PROJECTED = replace(REFINE, name="refine_projected", projected=True)

OTHER_VALUES = {
    **{"input_side": 80, "max_input_edge": 24, "nonlocal_pool": 4, "prnet_input_edge": 8},
    **{"fit": "squash", "prnet": "global", "projected": True},
    **{"protect_highlights": True, "protect_shadows": True, "photo_statistics": True},
    **{"style": True},
    **{"optimizer": "muon", "learning_rate": 0.02, "momentum": 0.5, "weight_decay": 0.1},
    **{"schedule": "cosine", "decay": 0.25, "decay_steps": 2, "loss": "l1", "crop": 32},
    **{"initial_crop": 32, "min_crop_scale": 0.8, "version_mixup": 1.0, "identity_share": 0.6},
    **{"synthetic_share": 0.6, "tile_shuffle": 1.0, "epochs": 5, "batch_size": 4},
}


def awake(net: nn.Module) -> nn.Module:
    """A network that does something: layers that are zero would hide what comes before them."""
    generator = torch.Generator().manual_seed(0)
    for part in net.parameters():
        if not part.any():
            part.data = 0.05 * torch.randn(part.shape, generator=generator)
    return net.eval()


@cache
def awake_cenet(statistics: bool) -> CENet:
    return awake(CENet(statistics))


@cache
def awake_prnet(
    residual_blocks: int, non_local: bool, nonlocal_pool: int, statistics: bool
) -> PRNet:
    net = PRNet(residual_blocks, non_local, nonlocal_pool, statistics)
    if nonlocal_pool > 1:
        net.load_state_dict(awake_prnet(residual_blocks, non_local, 1, statistics).state_dict())
    net = awake(net)
    net.to_rgb.bias.data.fill_(-0.1)  # darkens highlights
    return net


@pytest.fixture(autouse=True)
def _shared_networks(monkeypatch, small_backbone):  # noqa: ARG001
    """All models share their networks, which take longest to make."""
    monkeypatch.setattr("enhance_cli.models.cascade.CENet", awake_cenet)
    monkeypatch.setattr("enhance_cli.models.cascade.PRNet", awake_prnet)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Two versions of one photo, and another photo."""
    folder = tmp_path_factory.mktemp("pairs")
    for number, name in enumerate("abc"):
        for part, brighter in (("input", 0), ("expert", 25)):
            (folder / part).mkdir(exist_ok=True)
            pixels = smooth(64, 48) // 2 + 10 * number + brighter
            Image.fromarray(pixels).save(folder / part / f"{name}.png")
    (folder / "list.csv").write_text("file,source\na.png,one\nb.png,one\n")
    return list(find_pairs(folder).pairs), PairCache(folder / "cache")


def enhanced_by(config: ModelConfig) -> torch.Tensor:
    """A model's result for a photo with a clipped highlight, at the size at which it sees it."""
    torch.manual_seed(1)
    photo = torch.rand(1, 3, 24, 80)
    photo[..., :6] = 1
    with torch.no_grad():
        return Cascade(config).eval()(photo[..., : config.input_edge]).enhanced


@cache
def _fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


LOSSES: dict[tuple, list[float]] = {}


def trained_by(config: StageConfig, recipe: Recipe, pairs) -> list:
    """What decides the weights that come out of a stage: samples, losses, optimizer and rates."""
    stage = make_stage(config, recipe, Cascade(recipe.model).eval(), _fabric())
    samples = PairDataset(*pairs, stage.crop, config, 0)
    refs = [SampleRef(epoch, pair, n) for epoch in (0, 3) for pair in (0, 1) for n in range(4)]
    drawn = [samples[ref] for ref in refs]
    optimizer = make_optimizer(nn.Linear(2, 2), config)
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    rates = [learning_rate(config, step, 12) for step in range(12)]
    pixels = [md5(part.numpy().tobytes()).hexdigest() for sample in drawn for part in sample]
    key = recipe.model, config.trains, config.loss, config.projected, pixels[0]
    if key not in LOSSES:  # they take longest
        LOSSES[key] = stage.losses(stage.net.eval(), as_batch(drawn[0])).tolist()
    return [config.epochs, config.batch_size, type(optimizer), groups, rates, LOSSES[key], pixels]


def as_batch(sample: Sample) -> Sample:
    with torch.no_grad():
        return Sample(*(part[None] for part in sample))


MODELS = [
    replace(MODEL, variant=variant, fit=fit, prnet=prnet)
    for variant in VARIANTS
    for fit in ("pad", "squash")
    for prnet in ("global", "per-pixel")
]
SQUASH, PAD = replace(MODEL, fit="squash"), MODEL
STAGES = {
    "CENet, squashed": (SQUASH, COARSE),
    "CENet, padded": (PAD, COARSE),
    "CENet, squares that do not grow": (SQUASH, replace(COARSE, initial_crop=64)),
    "CENet, an odd side": (replace(SQUASH, input_side=63), replace(COARSE, initial_crop=0)),
    "CENet, an odd side that grows": (replace(SQUASH, input_side=63), COARSE),
    "CENet, padded to an odd side": (replace(PAD, input_side=65), COARSE),
    "PRNet, crops": (SQUASH, REFINE),
    "PRNet, crops of photos that are padded": (PAD, REFINE),
    "PRNet, whole photos": (PAD, replace(REFINE, crop=0)),
    "PRNet, whole photos in an odd square": (
        replace(PAD, input_side=65),
        replace(REFINE, crop=0, initial_crop=0),
    ),
    "PRNet, crops that do not grow": (SQUASH, replace(REFINE, initial_crop=48)),
    "PRNet, odd crops": (SQUASH, replace(REFINE, crop=47, initial_crop=64)),
    "PRNet, odd crops that grow": (SQUASH, replace(REFINE, crop=47)),
    "PRNet, projected": (SQUASH, PROJECTED),
    "AdamW and cosine": (SQUASH, replace(REFINE, optimizer="adamw", schedule="cosine")),
    "Muon and steps": (SQUASH, replace(REFINE, optimizer="muon")),
    "a constant rate": (SQUASH, replace(REFINE, decay=1.0)),
    "identity samples alone": (SQUASH, replace(REFINE, identity_share=1.0, synthetic_share=0.0)),
    "synthetic samples alone": (SQUASH, replace(REFINE, synthetic_share=1.0)),
}


@pytest.mark.parametrize(
    "model",
    [*MODELS, replace(MODEL, max_input_edge=65), replace(SQUASH, max_input_edge=501)],
    ids=lambda model: f"{model.variant} {model.fit} {model.prnet} {model.max_input_edge}",
)
def test_of_a_models_settings_exactly_those_without_effect_change_nothing(model):
    idle = without_effect(Recipe(model=model))
    result = enhanced_by(model)
    for field in fields(ModelConfig):
        if field.name == "variant":
            continue
        other = replace(model, **{field.name: value_beside(model, field, idle, "model.")})
        assert torch.equal(result, enhanced_by(other)) == (f"model.{field.name}" in idle), field


def value_beside(settings, field, idle, prefix: str):
    """The default of a setting without effect, which it has when it is left out; or another."""
    value = getattr(settings, field.name)
    if prefix + field.name in idle and value != field.default:
        return field.default
    other = OTHER_VALUES[field.name]
    return other if value != other else field.default


@pytest.mark.parametrize(("model", "stage"), STAGES.values(), ids=STAGES.keys())
def test_of_a_stages_settings_exactly_those_without_effect_change_nothing(model, stage, pairs):
    stages = (stage,) if stage.trains == "cenet" else (COARSE, stage)
    recipe = Recipe(model=model, stages=stages)
    idle = without_effect(recipe)
    prefix = f"stages.{stage.name}."
    expected = trained_by(stage, recipe, pairs)
    for field in fields(StageConfig):
        if field.name in {"name", "trains"}:
            continue
        other = replace(stage, **{field.name: value_beside(stage, field, idle, prefix)})
        same = trained_by(other, recipe, pairs) == expected
        assert same == (prefix + field.name in idle), field


@pytest.mark.parametrize(
    ("model", "skipped"),
    [
        (replace(MODEL, variant="ce"), {"refine": "no PRNet", "refine_projected": "no PRNet"}),
        (replace(MODEL, variant="prnl"), {"coarse": "no CENet"}),
        (replace(MODEL, prnet="per-pixel"), {"refine_projected": "per-pixel"}),
        (MODEL, {}),
    ],
)
def test_a_stage_without_its_network_is_skipped_with_the_reason(model, skipped):
    recipe = Recipe(model=model, stages=(COARSE, REFINE, PROJECTED))
    idle = without_effect(recipe)
    for stage in recipe.stages:
        reason = idle.get(f"stages.{stage.name}", "")
        assert bool(reason) == (stage.name in skipped) and skipped.get(stage.name, "") in reason
    assert {stage.name for stage in active_stages(recipe)} == {
        stage.name for stage in recipe.stages if stage.name not in skipped
    }


@pytest.mark.parametrize("name", ["paper", "small", "large"])
def test_the_built_in_recipes_run_all_their_stages(name):
    recipe = load_recipe(name)
    assert active_stages(recipe) == recipe.stages
