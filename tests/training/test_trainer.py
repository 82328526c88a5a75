from dataclasses import replace
from urllib.error import URLError

import pytest
import torch
from pictures import scene
from safetensors.torch import load_file
from torchvision.models import ResNet50_Weights

from enhance_cli.config.data import DataConfig, Source
from enhance_cli.config.model import VARIANTS, ModelConfig
from enhance_cli.config.recipe_file import load_recipe
from enhance_cli.config.training import Recipe, StageConfig, TrainConfig
from enhance_cli.errors import PairsError, TrainingError, UsageError
from enhance_cli.imaging.metrics import Score
from enhance_cli.inference.weights import load_weights, save_weights
from enhance_cli.inference.weights_file import Provenance
from enhance_cli.models.cascade import Cascade
from enhance_cli.training import trainer as module
from enhance_cli.training.losses import photo_losses
from enhance_cli.training.optimizer import learning_rate
from enhance_cli.training.trainer import Trainer

STAGE = StageConfig(epochs=2, batch_size=2, learning_rate=0.01)
TINY = TrainConfig(
    recipe=Recipe(
        model=ModelConfig(input_side=64),
        stages=(
            STAGE,
            replace(STAGE, name="refine", trains="prnet"),
            replace(STAGE, name="refine_projected", trains="prnet", projected=True),
        ),
        validate_every=1,
    ),
    device="cpu",
)
PAPER = load_recipe("paper")


pytestmark = pytest.mark.usefixtures("small_backbone")


@pytest.fixture
def tiny(tmp_path, write_pairs) -> TrainConfig:
    data = DataConfig((Source("fivek", write_pairs()),))
    return replace(TINY, data=data, out=tmp_path / "run" / "w.safetensors")


def holding_out(config: TrainConfig, *keys: str, name: str = "split") -> TrainConfig:
    """The same, with some photos held out by a file of ids."""
    path = config.data.sources[0].path.parent / f"{name}.txt"
    path.write_text("\n".join(keys))
    return replace(config, data=replace(config.data, split=str(path)))


def with_recipe(config: TrainConfig, **settings) -> TrainConfig:
    return replace(config, recipe=replace(config.recipe, **settings))


def with_model(config: TrainConfig, **settings) -> TrainConfig:
    return with_recipe(config, model=replace(config.model, **settings))


def with_stages(config: TrainConfig, **settings) -> TrainConfig:
    """The same settings changed in all stages."""
    stages = tuple(replace(stage, **settings) for stage in config.recipe.stages)
    return with_recipe(config, stages=stages)


def weights_of(config: TrainConfig) -> dict[str, torch.Tensor]:
    return load_file(config.out)


def test_the_defaults_are_section_3_2():
    for stage in PAPER.stages:
        assert (stage.optimizer, stage.momentum, stage.learning_rate) == ("sgd", 0.9, 0.01)
        assert (stage.batch_size, stage.epochs, stage.loss, stage.crop) == (16, 200, "mse", 0)
        rates = [learning_rate(stage, step, 60_000) for step in (0, 9_999, 10_000, 20_000)]
        assert rates == pytest.approx([0.01, 0.01, 0.001, 0.0001])
    assert (PAPER.model.input_side, PAPER.model.fit) == (500, "pad")


def test_the_cosine_schedule_rises_and_falls_to_zero():
    stage = StageConfig(schedule="cosine", learning_rate=1)
    rates = [learning_rate(stage, step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 50) and rates[49] == pytest.approx(1)
    assert rates[-1] < 1e-4 and max(rates) <= 1
    assert rates[525] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_trains_and_writes_weights(tiny, variant):
    config = with_model(tiny, variant=variant)
    reports = list(Trainer(config))
    stages = {"ce": 1, "pr": 1, "prnl": 1}.get(variant, 2)
    assert len(reports) == 2 * stages
    assert load_weights(config.out).model.config.variant == variant
    assert not config.out.with_suffix(".ckpt").exists()


def test_every_step_is_reported(tiny):
    steps = []
    reports = list(Trainer(tiny, on_step=steps.append))
    assert [(one.stage, one.epoch, one.step, one.steps) for one in steps] == [
        (stage, epoch, step, 2)
        for stage in ("coarse", "refine")
        for epoch in (1, 2)
        for step in (1, 2)
    ]
    assert reports[0].loss == pytest.approx((steps[0].loss + steps[1].loss) / 2)


def test_it_learns_what_the_expert_did(tiny):
    """The expert adds a constant, which CENet's offset alone can represent."""
    config = with_stages(
        with_model(tiny, variant="ce", fit="squash"),
        epochs=25,
        optimizer="adamw",
        learning_rate=1e-3,
    )
    reports = list(Trainer(config))
    assert reports[-1].loss < 0.2 * reports[0].loss


def test_prnet_learns_while_cenet_is_frozen(tiny):
    coarse_only = replace(with_model(tiny, variant="ce"), out=tiny.out.with_stem("ce"))
    for _ in Trainer(coarse_only):
        pass
    for _ in Trainer(tiny):
        pass
    alone, both = weights_of(coarse_only), weights_of(tiny)
    for name, tensor in alone.items():
        assert torch.equal(tensor, both[name]), name


def test_held_out_photos_are_scored_and_never_trained_on(tiny):
    config = holding_out(tiny, "a0002", "a0004-w.png")
    training = Trainer(config)
    seen = {pair.key for pair in training.pairs.train}
    assert seen == {"a0001", "a0003"} and len(training.pairs.held_out) == 2
    reports = list(training)
    assert all(report.score is not None for report in reports)
    provenance = load_weights(config.out).provenance
    assert set(provenance.trained_on) == seen
    assert provenance.figures["photos"] == 2 and provenance.figures["psnr"] > 0


def test_the_same_seed_gives_the_same_weights(tiny):
    config = with_recipe(tiny, flip=True)
    config = with_stages(config, identity_share=0.3, crop=16, min_crop_scale=0.5)
    other = replace(config, out=tiny.out.with_stem("again"))
    for run in (config, other):
        for _ in Trainer(run):
            pass
    assert all(torch.equal(a, weights_of(other)[n]) for n, a in weights_of(config).items())


@pytest.mark.parametrize("epochs_before", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("scored", [False, True])
def test_a_resumed_run_ends_with_the_same_weights(tiny, epochs_before, scored, monkeypatch):
    """Interrupted within each of the three stages, and between them."""
    tiny = with_model(tiny, prnet="global", prnet_input_edge=64)
    tiny = holding_out(tiny, "a0004") if scored else tiny
    tiny = with_recipe(tiny, ema_decay=0.5)
    unbroken = replace(tiny, out=tiny.out.with_stem("unbroken"))
    for _ in Trainer(unbroken):
        pass
    config = tiny
    reports = iter(Trainer(config))
    for _ in range(epochs_before):
        next(reports)

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("enhance_cli.training.stages.photo_losses", interrupt)
        with pytest.raises(KeyboardInterrupt):
            next(reports)
    interrupted = load_weights(config.out)
    assert interrupted.provenance.figures == {"interrupted": True}
    rest = list(Trainer(replace(config, resume=True)))
    assert len(rest) == 6 - epochs_before
    expected = weights_of(unbroken)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights_of(config).items())


def test_training_stage_by_stage_equals_training_in_one_run(tiny):
    whole = replace(tiny, out=tiny.out.with_stem("whole"))
    coarse = replace(with_model(tiny, variant="ce"), out=tiny.out.with_stem("coarse"))
    refine = replace(tiny, init=coarse.out, stages=("refine",))
    for run in (whole, coarse, refine):
        for _ in Trainer(run):
            pass
    expected = weights_of(whole)
    for name, tensor in weights_of(refine).items():
        # The halves meet in a weights file, whose matrices are in half precision.
        torch.testing.assert_close(tensor.float(), expected[name].float(), atol=5e-3, rtol=0.02)


def test_initial_weights_pass_on_their_training_ids(tiny, tmp_path):
    first = replace(holding_out(tiny, "a0001"), out=tiny.out.with_stem("first"))
    for _ in Trainer(first):
        pass
    others = holding_out(tiny, "a0002", "a0003", "a0004", name="other")
    second = replace(others, init=first.out, stages=("coarse",))
    for _ in Trainer(second):
        pass
    story = load_weights(second.out).provenance
    assert story.trained_on == ("a0001", "a0002", "a0003", "a0004")
    assert story.recipe["init"] == "first.safetensors" and str(tmp_path) not in str(story)
    before, after = weights_of(first), weights_of(second)
    changed = {
        name.partition(".")[0] for name in after if not torch.equal(before[name], after[name])
    }
    assert changed == {"cenet"}


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_pair(tiny, monkeypatch):
    """The first step of the second epoch overflows on one of its two pairs."""
    calls = []

    def spoilt(kind, predicted, expert, mask):
        calls.append(photo_losses(kind, predicted, expert, mask))
        return calls[-1] * torch.tensor([1, float("inf")]) if len(calls) == 3 else calls[-1]

    monkeypatch.setattr("enhance_cli.training.stages.photo_losses", spoilt)
    training = Trainer(tiny)
    with pytest.raises(TrainingError, match=r"not finite at step 2 on a000\d; .*w\.ckpt"):
        list(training)
    kept = torch.load(tiny.out.with_suffix(".ckpt"), weights_only=True)
    assert (kept["stage"], kept["epoch"]) == ("coarse", 1)


def test_the_best_weights_of_each_network_are_kept(tiny, monkeypatch):
    """The epochs score 2 and 1, then 1 and 2: the first and the last are kept."""
    config = with_recipe(holding_out(tiny, "a0004"), ema_decay=0.8)
    psnr = iter([2.0, 1.0, 1.0, 2.0, 9.0])
    states = []  # of the averaged weights, which are scored and kept

    def scored(enhancer, *_):
        state = enhancer.networks.model.state_dict()
        states.append({name: tensor.clone() for name, tensor in state.items()})
        return Score(next(psnr), 0, 0)

    monkeypatch.setattr(module, "score_pairs", scored)
    assert [report.best for report in Trainer(config)] == [True, False, True, True]
    kept = weights_of(config)
    for part, state in (("cenet", states[0]), ("prnet", states[3])):
        for name, tensor in kept.items():
            if name.startswith(part) and "running" in name:
                assert torch.equal(tensor, state[name]), name
    assert load_weights(config.out).provenance.figures["psnr"] == 9.0


def test_the_last_weights_are_kept_on_request(tiny, monkeypatch):
    config = with_recipe(holding_out(tiny, "a0004"), checkpoint="last")
    psnr = iter([2.0, 1.0, 2.0, 1.0, 9.0])
    monkeypatch.setattr(module, "score_pairs", lambda *_: Score(next(psnr), 0, 0))
    assert not any(report.best for report in Trainer(config))
    unscored = replace(with_recipe(config, checkpoint="best"), out=tiny.out.with_stem("u"))
    monkeypatch.setattr(module, "score_pairs", lambda *_: Score(0.0, 0, 0))
    losses = [report.loss for report in Trainer(unscored)]
    assert len(losses) == 4


def test_finished_photos_alone_are_enough_to_learn_from(tiny, tmp_path, write_photo, coffee):
    for number in range(8):
        tile = coffee[100 + 30 * number : 220 + 30 * number, 150:330]
        write_photo(tmp_path / "good" / f"{number}.png", tile)
    photos = DataConfig((Source("photos", tmp_path / "good", 8.0),))
    config = with_stages(
        with_model(replace(tiny, data=photos), variant="ce", fit="squash"),
        epochs=16,
        batch_size=16,
        optimizer="adamw",
        learning_rate=1e-3,
    )
    losses = [report.loss for report in Trainer(config)]
    assert sum(losses[-4:]) < 0.6 * sum(losses[:4])
    story = load_weights(config.out).provenance
    assert story.trained_on[0] == "good/0.png"
    assert story.recipe["data"]["sources"] == [{"kind": "photos", "path": "good", "repeats": 8.0}]


def test_sources_of_all_kinds_can_be_combined(tiny, write_pairs, tmp_path, write_photo):
    write_photo(tmp_path / "good" / "a.png", scene(1, 48, 32))
    sources = (
        *tiny.data.sources,
        Source("pairs", write_pairs(names=("m", "n"), root="mine"), 2.0),
        Source("photos", tmp_path / "good"),
    )
    config = with_stages(replace(tiny, data=DataConfig(sources)), crop=16, min_crop_scale=0.5)
    assert len(list(Trainer(config))) == 4
    assert "good/a.png" in load_weights(config.out).provenance.trained_on


def test_worker_processes_change_nothing(tiny):
    config = with_stages(with_recipe(tiny, flip=True), crop=16, min_crop_scale=0.5)
    other = replace(config, workers=1, out=tiny.out.with_stem("workers"))
    for run in (config, other):
        for _ in Trainer(run):
            pass
    assert all(torch.equal(a, weights_of(other)[n]) for n, a in weights_of(config).items())


def test_scores_and_images_go_to_tensorboard(tiny, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    config = replace(holding_out(tiny, "a0004"), log_dir=tmp_path / "log")
    reports = list(Trainer(config))
    events = accumulator.EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    for stage, steps in (("coarse", [1, 2]), ("refine", [3, 4])):
        psnr = events.Scalars(f"{stage}/psnr")
        assert [one.step for one in psnr] == steps
        expected = [report.score.psnr for report in reports if report.stage == stage]
        assert [one.value for one in psnr] == pytest.approx(expected, rel=1e-5)
        assert [one.step for one in events.Images(f"{stage}/a0004")] == steps
    assert {"coarse/loss", "coarse/learning_rate", "refine/l2_lab"} <= set(events.Tags()["scalars"])


def test_a_full_disk_stops_the_run_in_one_line(tiny, monkeypatch):
    reports = iter(Trainer(tiny))
    next(reports)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*--resume"):
        next(reports)
    monkeypatch.undo()
    assert torch.load(tiny.out.with_suffix(".ckpt"), weights_only=True)["epoch"] == 1


def test_training_in_bfloat16(tiny, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    reports = list(Trainer(with_recipe(tiny, precision="bf16")))
    assert all(0 < report.loss < 1 for report in reports)


class TestRefused:
    def test_no_sources(self, tiny):
        with pytest.raises(UsageError, match="--fivek-root"):
            Trainer(replace(tiny, data=DataConfig()))

    def test_everything_held_out(self, tiny):
        with pytest.raises(PairsError, match="all of the 4 pairs"):
            Trainer(holding_out(tiny, "a0001", "a0002", "a0003", "a0004"))

    def test_no_checkpoint_to_resume(self, tiny):
        with pytest.raises(UsageError, match="no checkpoint"):
            Trainer(replace(tiny, resume=True))

    def test_a_checkpoint_with_other_settings(self, tiny):
        reports = iter(Trainer(tiny))
        next(reports)
        with pytest.raises(UsageError, match="other settings"):
            Trainer(replace(with_recipe(tiny, seed=5), resume=True))

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda tiny: with_recipe(tiny, seed=5), "seed was 0, is 5"),
            (
                lambda tiny: with_recipe(tiny, stages=(replace(STAGE, epochs=3),)),
                "stages.coarse.epochs was 2, is 3; stages.refine.name was refine, is not set",
            ),
            (lambda tiny: replace(tiny, stages=("coarse",)), "stages.0 is new"),
            (lambda tiny: with_model(tiny, nonlocal_pool=2), "model.nonlocal_pool was 1, is 2"),
            (
                lambda tiny: replace(tiny, data=replace(tiny.data, skip_bad_pairs=True)),
                "data.skip_bad_pairs was False, is True",
            ),
        ],
    )
    def test_a_checkpoint_with_other_settings_names_them(self, tiny, change, said):
        next(iter(Trainer(tiny)))
        with pytest.raises(UsageError, match="other settings") as refused:
            Trainer(replace(change(tiny), resume=True))
        assert said in str(refused.value) and "\n" not in str(refused.value)

    def test_settings_that_a_checkpoint_could_not_know_do_not_count(self, tiny, monkeypatch):
        from enhance_cli.training import checkpoint

        real = checkpoint.fingerprint

        def older(config):
            return real(config).replace(', "style": false', "")

        with monkeypatch.context() as patched:
            patched.setattr(checkpoint, "fingerprint", older)
            next(iter(Trainer(tiny)))
        assert "style" in real(tiny) and "style" not in older(tiny)
        assert Trainer(replace(tiny, resume=True)).plan()[0].done == 1

    def test_initial_weights_with_a_style(self, tiny):
        tiny.out.parent.mkdir()
        styled = with_model(tiny, variant="ce", style=True).model
        save_weights(tiny.out, Cascade(styled), Provenance())
        with pytest.raises(UsageError, match="have a style on top, which training would lose"):
            Trainer(with_model(replace(tiny, init=tiny.out), variant="ce"))

    def test_initial_weights_of_another_geometry(self, tiny):
        for _ in Trainer(with_model(tiny, variant="prnl")):
            pass
        with pytest.raises(UsageError, match=r"model\.input_side=64"):
            Trainer(with_model(replace(tiny, init=tiny.out), variant="prnl", input_side=32))
        with pytest.raises(UsageError, match="prnl does not fit into pr"):
            Trainer(with_model(replace(tiny, init=tiny.out), variant="pr"))

    def test_a_damaged_checkpoint(self, tiny):
        tiny.out.parent.mkdir()
        tiny.out.with_suffix(".ckpt").write_bytes(b"not a checkpoint")
        with pytest.raises(TrainingError, match="damaged checkpoint"):
            Trainer(replace(tiny, resume=True))

    def test_pretrained_weights_that_cannot_be_downloaded(self, tiny, monkeypatch):
        def unreachable(*_, **__):
            raise URLError("no route to host")

        monkeypatch.setattr(ResNet50_Weights, "get_state_dict", unreachable)
        with pytest.raises(TrainingError, match=r"--pretrained: .*no route to host.*checkpoints"):
            Trainer(replace(tiny, pretrained=True))
        with pytest.raises(UsageError, match="prnl has no ResNet50"):
            Trainer(with_model(replace(tiny, pretrained=True), variant="prnl"))

    def test_initial_weights_without_effect(self, tiny):
        tiny.out.parent.mkdir()
        save_weights(tiny.out, Cascade(with_model(tiny, variant="ce").model), Provenance())
        with pytest.raises(UsageError, match=r"--pretrained has no effect: --init .* has a CENet"):
            Trainer(with_model(replace(tiny, init=tiny.out, pretrained=True), variant="ce"))
        with pytest.raises(UsageError, match="has no effect: its ce has no network of prnl"):
            Trainer(with_model(replace(tiny, init=tiny.out), variant="prnl"))

    def test_options_without_effect(self, tiny):
        with pytest.raises(UsageError, match="no stage of this run trains CENet"):
            Trainer(replace(tiny, pretrained=True, stages=("refine",)))
        mine = DataConfig((Source("pairs", tiny.data.sources[0].path),), expert="a")
        with pytest.raises(UsageError, match="--expert has no effect"):
            Trainer(replace(tiny, data=mine))

    def test_a_weights_file_of_another_kind(self, tiny):
        with pytest.raises(UsageError, match="safetensors"):
            Trainer(replace(tiny, out=tiny.out.with_suffix(".pth")))
