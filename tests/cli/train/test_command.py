import json

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app
from enhance_cli.config.recipe_file import format_recipe, load_recipe
from enhance_cli.inference.weights import load_weights
from enhance_cli.inference.weights_file import shipped_weights

runner = CliRunner()


def run(*arguments):
    return runner.invoke(app, list(map(str, arguments)))


def test_from_pairs_to_a_retouched_photo(tmp_path, write_pairs, write_photo):
    """``train``, ``eval`` and ``apply`` one after the other, with the real networks."""
    root, weights = write_pairs(size=(96, 72)), tmp_path / "mine.safetensors"
    split = tmp_path / "split.txt"
    split.write_text("a0003\n")
    trained = run(
        *("train", "--fivek-root", root, "--split", split, "--out", weights),
        *("--set", "model.input_side=64"),
        *("--epochs", 1, "--batch-size", 2, "--learning-rate", 0.001, "--device", "cpu"),
    )
    assert trained.exit_code == 0, trained.stderr
    assert "on 3 pairs" in trained.stderr and f"wrote {weights}" in trained.stderr
    assert "coarse 1/1" in trained.stderr and "refine 1/1" in trained.stderr
    assert "ce+prnl coarse: CENet, 1 epoch of 1 step, mse loss" in trained.stderr
    assert "2 steps in all" in trained.stderr and "mse loss 0." in trained.stderr
    assert f"enhance apply PHOTOS --out DIR --weights {weights}" in trained.stderr

    scored = run(
        *("eval", "--fivek-root", root, "--split", split, "--weights", weights),
        *("--device", "cpu", "--json"),
    )
    document = json.loads(scored.stdout)
    assert document["split"] == str(split) and document["photos"] == 1
    assert [row["method"] for row in document["rows"]] == ["identity", "ce+prnl"]
    assert {"psnr", "l2_lab", "ssim", "photos"} <= set(document["rows"][0])

    photo = write_photo(tmp_path / "new.jpg", size=(64, 48))
    out = tmp_path / "out"
    applied = run("apply", photo, "--out", out, "--weights", weights, "--long-edge", 64)
    assert applied.exit_code == 0 and (out / "new.jpg").is_file()


@pytest.fixture
def configs(monkeypatch):
    """The configs with which ``train`` would run."""
    seen = []
    monkeypatch.setattr(
        "enhance_cli.cli.train.command._run", lambda config, **_: seen.append(config)
    )
    return seen


def test_every_setting_of_a_recipe_can_be_set(configs, tmp_path):
    run("train", "--fivek-root", tmp_path)
    assert configs[0].recipe == load_recipe("paper") and configs[0].data.split == "random250"
    settings = (
        *("model.variant=prnl", "model.fit=squash", "model.max_input_edge=300"),
        *("model.nonlocal_pool=2", "model.protect_highlights=true", "model.protect_shadows=true"),
        *("stages.refine.optimizer=adamw", "flip=true"),
        *("stages.refine.weight_decay=0.1", "stages.refine.loss=l1", "rotate=true"),
        *("stages.refine.schedule=cosine", "stages.refine.crop=64", "ema_decay=0.9"),
        *("stages.refine.initial_crop=48", "stages.refine.min_crop_scale=0.5"),
        *("stages.refine.version_mixup=0.4", "stages.refine.identity_share=0.2"),
        *("stages.refine.synthetic_share=0.1", "stages.refine.tile_shuffle=0.3"),
        *("checkpoint=last", "precision=bf16", "stages.*.epochs=9", "stages.refine.epochs=7"),
    )
    result = run(
        *("train", "--pairs", "x", "--pairs", "y=3", "--split", "random250"),
        *(word for setting in settings for word in ("--set", setting)),
        *("--batch-size", 4, "--learning-rate", 0.5, "--init", "w.safetensors"),
        *("--stages", "refine", "--seed", 3, "--expert", "C"),
    )
    assert result.exit_code == 0, result.stderr
    recipe, model = configs[1].recipe, configs[1].recipe.model
    assert (model.variant, model.fit, model.max_input_edge) == ("prnl", "squash", 300)
    assert (model.nonlocal_pool, model.protect_highlights) == (2, True)
    assert (model.prnet, model.protect_shadows) == ("per-pixel", True)
    coarse, refine = recipe.stages
    assert (coarse.epochs, refine.epochs, coarse.batch_size, refine.batch_size) == (9, 7, 4, 4)
    assert (refine.optimizer, refine.learning_rate, refine.weight_decay) == ("adamw", 0.5, 0.1)
    assert (refine.schedule, refine.loss) == ("cosine", "l1")
    assert (refine.crop, refine.initial_crop, refine.min_crop_scale) == (64, 48, 0.5)
    assert (refine.version_mixup, refine.identity_share) == (0.4, 0.2)
    assert (refine.synthetic_share, refine.tile_shuffle) == (0.1, 0.3)
    assert (recipe.flip, recipe.rotate, recipe.ema_decay, recipe.seed) == (True, True, 0.9, 3)
    assert (recipe.checkpoint, recipe.precision) == ("last", "bf16")
    assert (str(configs[1].init), configs[1].stages) == ("w.safetensors", ("refine",))
    assert [source.repeats for source in configs[1].data.sources] == [1, 3]
    run("train", "--recipe", "SMALL", "--fivek-root", tmp_path, "--split", "NONE")
    assert configs[2].recipe == load_recipe("small") and configs[2].data.split is None


def test_a_printed_recipe_gives_the_same_run(configs, tmp_path):
    options = ("--set", "stages.refine.epochs=40", "--variant", "CE+PR", "--seed", 7)
    printed = run("train", "--recipe", "small", "--photos", "p=0.1", *options, "--print-recipe")
    assert printed.exit_code == 0 and not configs
    assert printed.stdout.startswith("# enhance train --recipe THIS_FILE --photos p=0.1 --split")
    (tmp_path / "mine.toml").write_text(printed.stdout)
    run("train", "--recipe", tmp_path / "mine.toml", "--pairs", "x")
    run("train", "--recipe", "small", "--pairs", "x", *options)
    assert effective(configs[0]) == effective(configs[1])


def test_a_printed_recipe_comes_with_its_command(configs):
    words = ("--fivek-root", "my photos=3", "--expert", "A", "--variant", "ALL", "--stages")
    printed = run("train", *words, "refine", "--split", "NONE", "--pretrained", "--print-recipe")
    assert printed.exit_code == 0, printed.stderr
    assert not configs
    assert printed.stdout.splitlines()[0] == (
        "# enhance train --recipe THIS_FILE --fivek-root 'my photos=3' --split none --expert a "
        "--variant all --stages refine --pretrained"
    )


@pytest.mark.parametrize("recipe", ["paper", "small", "large"])
def test_a_printed_built_in_recipe_is_the_same_recipe(configs, tmp_path, recipe):
    (tmp_path / "mine.toml").write_text(run("train", "--recipe", recipe, "--print-recipe").stdout)
    run("train", "--recipe", tmp_path / "mine.toml", "--pairs", "x")
    assert configs[0].recipe == load_recipe(recipe)


def test_settings_of_a_global_prnet_can_be_set(configs):
    settings = "--set model.fit=squash --set model.prnet=global --set model.prnet_input_edge=90"
    run("train", "--pairs", "x", *settings.split())
    model = configs[0].recipe.model
    assert (model.fit, model.prnet, model.prnet_input_edge) == ("squash", "global", 90)


def test_a_setting_of_one_stage_stands_beside_an_option_for_all(configs):
    run("train", "--pairs", "x", "--recipe", "small", "--set", "stages.refine.epochs=7",
        "--epochs", "3")  # fmt: skip
    assert [stage.epochs for stage in configs[0].recipe.stages] == [3, 7, 3]


def test_init_shipped_is_the_file_that_comes_with_the_package(configs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENHANCE_WEIGHTS", "another.safetensors")
    run("train", "--pairs", "x", "--init", "Shipped")
    assert configs[0].init == shipped_weights() and configs[0].init.is_file()
    (tmp_path / "shipped").write_text("")
    run("train", "--pairs", "x", "--init", "shipped")
    assert str(configs[1].init) == "shipped", "a file of that name comes first"


def effective(config):
    """The recipe without the settings that have no effect in it."""
    return format_recipe(config.recipe)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--variant", "ce", "--set", "model.nonlocal_pool=2"], "the variant ce has no PRNet"),
        (["--set", "stages.coarse.momentum=0.5"], "the optimizer is adamw"),
        (["--set", "stages.refine.decay=0.5"], 'the schedule is "cosine"'),
        (["--set", "stages.coarse.crop=64"], "CENet sees"),
        (["--variant", "pr", "--set", "stages.coarse.epochs=3"], "has no CENet"),
        (["--set", "model.prnet=per-pixel", "--set", "model.prnet_input_edge=64"], "per-pixel"),
        (["--split", "none", "--set", "checkpoint=best"], "holds out no photos"),
        (["--split", "none", "--set", "validate_every=2"], "holds out no photos"),
        (["--expert", "a"], "--expert has no effect without --fivek-root"),
        (["--variant", "prnl", "--pretrained"], "has no ResNet50"),
        (["--stages", "refine", "--pretrained"], "no stage of this run trains CENet"),
        (["--stages", "polish"], "coarse, refine, refine_projected"),
        (["--set", "stages.fine.epochs=3"], "the recipe has coarse, refine, refine_projected"),
        (["--set", "epoch=3"], "unknown key"),
        (["--set", "stages.refine.epochs=0"], "a whole number of at least 1"),
        (["--set", "stages.refine.loss=l2"], '"mse", "l1", "lab"'),
        (["--set", "seed"], "give KEY=VALUE"),
        (["--variant", "all", "--set", "model.variant=ce"], "--variant all trains all five"),
        (["--seed", "1", "--set", "seed=2"], "--seed: seed has no effect: --set seed=2 sets it"),
        (["--stages", "coarse", "--set", "stages.*.crop=64"], "CENet sees"),
        (["--stages", "polish", "--epochs", "3"], "coarse, refine, refine_projected"),
        (["--recipe", "gone.toml"], "neither paper, small, large nor style"),
    ],
)
def test_options_that_make_no_sense_are_refused_with_the_reason(arguments, said, write_pairs):
    split = [] if "--split" in arguments else ["--split", "none"]
    source = ["--pairs", write_pairs(root="mine")]
    result = run("train", *source, "--recipe", "small", *split, *arguments, "--device", "cpu")
    assert result.exit_code == 2, result.output
    assert said in result.stderr and result.stderr.count("\n") == 1


STAGE = '[[stages]]\nname = "coarse"\ntrains = "cenet"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed = ", "not TOML"),
        ("sead = 3", "sead: unknown key; did you mean seed?"),
        ("flip = 1", "flip = 1: must be true or false"),
        ("ema_decay = 1.5", "ema_decay = 1.5: must be a number from 0 to 1"),
        ('[model]\nvariant = "cd"', 'model.variant = "cd": must be one of "ce", "pr"'),
        (STAGE + "epochs = 0", "stages.coarse.epochs = 0: must be a whole number of at least 1"),
        (STAGE + 'loss = "l2"', 'stages.coarse.loss = "l2": must be one of "mse", "l1", "lab"'),
        (STAGE + 'optimizer = "adamw"\nmomentum = 0.5', "stages.coarse.momentum has no effect"),
        (STAGE + STAGE, "stages.coarse: duplicate name"),
        (
            '[[stages]]\nname = "coarse"',
            'stages.coarse.trains: must be set, to one of "cenet", "prnet"',
        ),
    ],
)
def test_a_wrong_recipe_is_refused_with_file_key_and_values(tmp_path, text, said):
    (tmp_path / "wrong.toml").write_text(text)
    result = run("train", "--pairs", "x", "--recipe", tmp_path / "wrong.toml")
    assert result.exit_code == 2, result.output
    assert f"error: {tmp_path / 'wrong.toml'}: " in result.stderr and said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["train"], "give --fivek-root DIR, --pairs DIR or --photos DIR", 2),
        (["train", "--fivek-root", "gone"], "gone: no such folder", 2),
        (
            ["train", "--fivek-root", ".", "--split", "nosuch"],
            "nosuch: neither a text file of ids nor a known split",
            2,
        ),
        (["eval", "--fivek-root", "gone", "--split", "random250"], "gone: no such folder", 2),
    ],
)
def test_errors_are_one_line(arguments, said, code, tmp_path, monkeypatch, identity_weights):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    result = run(*arguments, "--device", "cpu")
    assert result.exit_code == code
    assert said in result.stderr and result.stderr.count("\n") == 1


def test_ctrl_c_leaves_weights_and_says_how_to_continue(tmp_path, write_pairs, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("enhance_cli.training.stages.photo_losses", interrupt)
    weights = tmp_path / "w.safetensors"
    result = run(
        *("train", "--fivek-root", write_pairs(), "--split", "none", "--variant", "prnl"),
        *("--set", "model.input_side=64", "--batch-size", 2, "--out", weights, "--device", "cpu"),
    )
    assert result.exit_code == 130 and "--resume" in result.stderr
    assert load_weights(weights).model.config.variant == "prnl"


@pytest.mark.usefixtures("small_backbone")
class TestWhatIsThereAlready:
    """Weights cost hours, and a checkpoint is all that is left of an interrupted run."""

    @pytest.fixture
    def train(self, tmp_path, write_pairs):
        root = write_pairs()

        def train(*options, variant="ce", out=tmp_path / "m.safetensors"):
            return run(
                *("train", "--fivek-root", root, "--split", "none", "--variant", variant),
                *("--set", "model.input_side=64", "--batch-size", 2, "--device", "cpu"),
                *("--epochs", 1, "--out", out, *options),
            )

        return train

    @pytest.mark.parametrize("name", ["m.safetensors", "m.ckpt"])
    @pytest.mark.parametrize("kind", ["file", "dangling link"])
    def test_others_files_stay(self, tmp_path, train, name, kind):
        path = tmp_path / name
        path.symlink_to("gone") if kind == "dangling link" else path.write_bytes(b"mine")
        result = train()
        assert result.exit_code == 2 and "--on-conflict overwrite" in result.stderr
        assert path.is_symlink() if kind == "dangling link" else path.read_bytes() == b"mine"
        assert result.stderr.count("\n") == 1

    @pytest.mark.parametrize("name", ["ce.safetensors", "prnl.ckpt"])
    def test_also_those_of_all_five_methods(self, tmp_path, train, name):
        (tmp_path / "table").mkdir()
        (tmp_path / "table" / name).write_bytes(b"mine")
        result = train(variant="all", out=tmp_path / "table")
        assert result.exit_code == 2 and name in result.stderr
        assert (tmp_path / "table" / name).read_bytes() == b"mine"

    def test_weights_of_an_earlier_run_stay(self, tmp_path, train):
        assert train().exit_code == 0
        before = (tmp_path / "m.safetensors").read_bytes()
        assert train("--seed", 3).exit_code == 2
        assert (tmp_path / "m.safetensors").read_bytes() == before
        assert train("--seed", 3, "--on-conflict", "overwrite").exit_code == 0
        assert (tmp_path / "m.safetensors").read_bytes() != before
        assert not (tmp_path / "m.ckpt").exists()

    def test_a_checkpoint_survives_a_forgotten_resume(self, tmp_path, train, monkeypatch):
        interrupted = self.interrupted(train, monkeypatch)
        assert interrupted.exit_code == 130 and "--resume continues" in interrupted.stderr
        before = (tmp_path / "m.ckpt").read_bytes()
        result = train()
        assert result.exit_code == 2 and "--resume" in result.stderr
        assert (tmp_path / "m.ckpt").read_bytes() == before

    def test_one_interrupted_in_its_first_epoch_can_be_resumed(self, tmp_path, train, monkeypatch):
        self.interrupted(train, monkeypatch)
        resumed = train("--resume")
        assert resumed.exit_code == 0, resumed.stderr
        assert not (tmp_path / "m.ckpt").exists()
        assert train(out=tmp_path / "unbroken.safetensors").exit_code == 0
        expected = load_weights(tmp_path / "unbroken.safetensors").model.state_dict()
        found = load_weights(tmp_path / "m.safetensors").model.state_dict()
        assert all(tensor.equal(expected[name]) for name, tensor in found.items())

    def test_resuming_all_five_begins_again_what_had_not_finished(
        self, tmp_path, train, monkeypatch
    ):
        out = tmp_path / "table"
        self.interrupted(train, monkeypatch, variant="all", out=out)
        result = train("--resume", variant="all", out=out)
        assert result.exit_code == 0, result.stderr
        assert "ce coarse 1/1" in result.stderr, "what was interrupted does not count as done"
        assert "interrupted" not in load_weights(out / "ce.safetensors").provenance.figures

    def interrupted(self, train, monkeypatch, **options):
        def interrupt(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("enhance_cli.training.stages.photo_losses", interrupt)
            return train(**options)

    def test_a_file_that_comes_meanwhile_stays_and_the_weights_too(
        self, tmp_path, train, monkeypatch
    ):
        from enhance_cli.training import trainer

        real = trainer.write_checkpoint

        def write(*arguments):
            (tmp_path / "m.safetensors").write_bytes(b"mine")
            return real(*arguments)

        monkeypatch.setattr(trainer, "write_checkpoint", write)
        result = train()
        assert result.exit_code == 1 and "the weights are in" in result.stderr
        assert (tmp_path / "m.safetensors").read_bytes() == b"mine"
        (beside,) = tmp_path.glob("m-*.safetensors")
        assert load_weights(beside).model.config.variant == "ce"
