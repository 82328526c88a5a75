import numpy as np
import pytest
import torch
from PIL import Image

from enhance_cli.config import EvalConfig
from enhance_cli.data.pairs import find_pairs
from enhance_cli.engine.evaluation import Evaluation, score_pairs
from enhance_cli.engine.weights import load_weights
from enhance_cli.errors import PairsError


@pytest.fixture
def split(tmp_path):
    (tmp_path / "split.txt").write_text("a0001\na0003\n")
    return str(tmp_path / "split.txt")


def rows_of(config):
    run = Evaluation(config)
    progress = list(run)
    assert progress[-1].done == progress[-1].total
    return run.rows


def test_identity_is_the_originals_themselves(write_pairs, split, identity_weights):
    root = write_pairs()
    rows = rows_of(EvalConfig(root, split, (identity_weights,), "cpu"))
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
    rows = rows_of(EvalConfig(write_pairs(), split, (brightening_weights,), "cpu"))
    assert rows[1].method == "ce"
    assert rows[1].score.psnr == pytest.approx(-20 * np.log10(0.1 - 25 / 255), abs=0.01)
    assert rows[1].score.l2_lab < 0.3 < rows[0].score.l2_lab


def test_photos_that_the_weights_were_trained_on_are_counted(
    write_pairs, split, brightening_weights
):
    rows = rows_of(EvalConfig(write_pairs(), split, (brightening_weights,), "cpu"))
    assert (rows[0].trained_on, rows[1].trained_on) == (0, 1)


def test_two_weights_of_one_variant_keep_rows_of_their_own(
    write_pairs, split, brightening_weights, tmp_path
):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(brightening_weights.read_bytes())
    rows = rows_of(EvalConfig(write_pairs(), split, (brightening_weights, copy), "cpu"))
    assert [row.method for row in rows] == [
        "identity",
        "ce (brightening.safetensors)",
        "ce (copy.safetensors)",
    ]


def test_a_split_that_is_not_there(write_pairs, identity_weights):
    with pytest.raises(PairsError, match="none of its 4 pairs is in split random250"):
        Evaluation(EvalConfig(write_pairs(), "random250", (identity_weights,), "cpu"))


def test_scores_during_training_are_those_of_eval(write_pairs, split, brightening_weights):
    root = write_pairs()
    rows = rows_of(EvalConfig(root, split, (brightening_weights,), "cpu"))
    pairs = [pair for pair in find_pairs(root) if pair.key in {"a0001", "a0003"}]
    model = load_weights(brightening_weights).model
    assert score_pairs(model, pairs, torch.device("cpu")) == rows[1].score
