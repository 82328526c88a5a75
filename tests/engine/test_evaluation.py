import numpy as np
import pytest
import torch
from PIL import Image

from enhance_cli.config import DataConfig, EvalConfig, Source
from enhance_cli.engine.evaluation import Evaluation, score_pairs
from enhance_cli.engine.weights import load_weights
from enhance_cli.errors import PairsError


@pytest.fixture
def split(tmp_path):
    (tmp_path / "split.txt").write_text("a0001\na0003\n")
    return str(tmp_path / "split.txt")


def config_of(root, split, weights, **options) -> EvalConfig:
    data = DataConfig((Source("fivek", root),), split)
    return EvalConfig(data, weights, device="cpu", **options)


def rows_of(config):
    run = Evaluation(config)
    progress = list(run)
    assert progress[-1].done == progress[-1].total
    return run.rows


def test_identity_is_the_originals_themselves(write_pairs, split, identity_weights):
    root = write_pairs()
    rows = rows_of(config_of(root, split, (identity_weights,)))
    expected = []
    for name in ("a0001-x", "a0003-z"):
        original, expert = (
            np.asarray(Image.open(root / folder / f"{name}.png"), np.float64) / 255
            for folder in ("input", "expertC")
        )
        expected.append(-10 * np.log10(((original - expert) ** 2).mean()))
    assert [row.method for row in rows] == ["identity", "ce+prnl"]
    assert rows[0].score.psnr == pytest.approx(np.mean(expected), abs=1e-4)
    assert rows[1].score.psnr == pytest.approx(rows[0].score.psnr, abs=1e-4)
    assert rows[0].photos == 2


def test_a_model_that_does_what_the_expert_does_is_better(write_pairs, split, brightening_weights):
    """The experts are brighter by 25/255, the weights by 0.1: half a level is left."""
    rows = rows_of(config_of(write_pairs(), split, (brightening_weights,)))
    assert rows[1].method == "ce"
    assert rows[1].score.psnr == pytest.approx(-20 * np.log10(0.1 - 25 / 255), abs=0.01)
    assert rows[1].score.l2_lab < 0.3 < rows[0].score.l2_lab


def test_photos_that_the_weights_were_trained_on_are_counted(
    write_pairs, split, brightening_weights
):
    rows = rows_of(config_of(write_pairs(), split, (brightening_weights,)))
    assert (rows[0].trained_on, rows[1].trained_on) == (0, 1)


def test_two_weights_of_one_variant_keep_rows_of_their_own(
    write_pairs, split, brightening_weights, tmp_path
):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(brightening_weights.read_bytes())
    rows = rows_of(config_of(write_pairs(), split, (brightening_weights, copy)))
    assert [row.method for row in rows] == [
        "identity",
        "ce (brightening.safetensors)",
        "ce (copy.safetensors)",
    ]


def test_a_split_that_is_not_there(write_pairs, identity_weights):
    with pytest.raises(PairsError, match="none of the 4 pairs is in split random250"):
        Evaluation(config_of(write_pairs(), "random250", (identity_weights,)))


def test_scores_during_training_are_those_of_eval(write_pairs, split, brightening_weights):
    run = Evaluation(config_of(write_pairs(), split, (brightening_weights,)))
    list(run)
    model = load_weights(brightening_weights).model
    store = run.collection.store
    assert score_pairs(model, run.pairs, store, torch.device("cpu")) == run.rows[1].score
