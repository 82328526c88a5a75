import json

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app
from enhance_cli.config import PAPER, SHIPPED
from enhance_cli.inference.weights import load_weights

runner = CliRunner()


def run(*arguments):
    return runner.invoke(app, list(map(str, arguments)))


def test_from_pairs_to_a_retouched_photo(tmp_path, write_pairs, write_photo):
    """The three commands in a row, with the real networks."""
    root, weights = write_pairs(size=(96, 72)), tmp_path / "mine.safetensors"
    split = tmp_path / "split.txt"
    split.write_text("a0003\n")
    trained = run(
        *("train", "--fivek-root", root, "--split", split, "--out", weights, "--canvas", 64),
        *("--epochs", 1, "--batch-size", 2, "--learning-rate", 0.001, "--device", "cpu"),
    )
    assert trained.exit_code == 0, trained.stderr
    assert "from 3 pairs" in trained.stderr and f"wrote {weights}" in trained.stderr
    assert "coarse 1/1" in trained.stderr and "refine 1/1" in trained.stderr

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


def test_every_setting_of_the_paper_is_an_option(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr("enhance_cli.cli.train._run", lambda config, **_: seen.append(config))
    run("train", "--fivek-root", tmp_path)
    assert seen[0].model == PAPER.model and seen[0].coarse == PAPER.coarse
    assert seen[0].data.split == "random250"
    run(
        *("train", "--pairs", "x", "--pairs", "y", "--variant", "pr", "--canvas", 256),
        *("--fit", "squash", "--epochs", 7, "--batch-size", 4, "--optimizer", "adamw"),
        *("--learning-rate", 0.5, "--momentum", 0.8, "--weight-decay", 0.1, "--loss", "l1"),
        *("--schedule", "cosine", "--decay", 0.2, "--decay-steps", 9, "--flip", "--rotate"),
        *("--finished-share", 0.2, "--average", 0.9, "--precision", "bf16", "--split", "none"),
        *("--keep", "last", "--grow-from", 48, "--blend", 0.4),
        *("--zoom", 0.5, "--jitter", 0.3, "--init", "w.safetensors", "--learn", "refine"),
        *("--seed", 3, "--sight", 300, "--pooling", 2, "--hold-white"),
        *("--by-colour", 90, "--plain-share", 0.1, "--shuffle", 0.3),
    )
    config = seen[1]
    assert (config.model.variant, config.model.input_side, config.model.fit) == ("pr", 256, "squash")
    for stage in (config.coarse, config.refine):
        assert (stage.epochs, stage.batch_size, stage.optimizer) == (7, 4, "adamw")
        assert (stage.learning_rate, stage.momentum, stage.weight_decay) == (0.5, 0.8, 0.1)
        assert (stage.schedule, stage.decay, stage.decay_steps) == ("cosine", 0.2, 9)
        assert (stage.loss, stage.zoom, stage.jitter) == ("l1", 0.5, 0.3)
        assert (stage.identity_share, stage.initial_crop) == (0.2, 48)
        assert (stage.version_mixup, stage.synthetic_share, stage.shuffle) == (0.4, 0.1, 0.3)
    assert (str(config.init), config.learn) == ("w.safetensors", "refine")
    assert config.data.split is None and len(config.data.sources) == 2 and config.seed == 3
    assert (config.flip, config.rotate, config.average) == (True, True, 0.9)
    assert (config.model.max_input_edge, config.model.nonlocal_pool) == (300, 2)
    assert config.model.protect_highlights and not PAPER.model.protect_highlights
    assert (config.model.by_colour, PAPER.model.by_colour) == (90, 0)
    run("train", "--recipe", "shipped", "--fivek-root", tmp_path)
    assert seen[2].coarse == SHIPPED.coarse and seen[2].refine == SHIPPED.refine
    assert (seen[1].keep, seen[2].keep) == ("last", SHIPPED.keep)
    assert seen[2].finish == SHIPPED.finish and seen[1].finish.epochs == 7


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["train"], "give --fivek-root DIR, --pairs DIR or --photos DIR", 2),
        (["train", "--fivek-root", "gone"], "gone: no such folder", 1),
        (
            ["train", "--fivek-root", ".", "--split", "nosuch"],
            "nosuch: neither a text file of ids nor a known split",
            1,
        ),
        (["eval", "--fivek-root", "gone", "--split", "random250"], "gone: no such folder", 1),
    ],
)
def test_errors_are_one_line(arguments, said, code, tmp_path, monkeypatch, identity_weights):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    told = run(*arguments, "--device", "cpu")
    assert told.exit_code == code
    assert said in told.stderr and told.stderr.count("\n") == 1


def test_ctrl_c_leaves_weights_and_says_how_to_go_on(tmp_path, write_pairs, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("enhance_cli.training.stages.photo_losses", interrupt)
    weights = tmp_path / "w.safetensors"
    told = run(
        *("train", "--fivek-root", write_pairs(), "--split", "none", "--variant", "prnl"),
        *("--canvas", 64, "--batch-size", 2, "--out", weights, "--device", "cpu"),
    )
    assert told.exit_code == 130 and "--resume" in told.stderr
    assert load_weights(weights).model.config.variant == "prnl"
