from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from enhance_cli.config.data import DataConfig, Source
from enhance_cli.config.evaluation import EvalConfig
from enhance_cli.config.model import ModelConfig
from enhance_cli.errors import PairsError, UsageError, WeightsError
from enhance_cli.evaluation.evaluator import Evaluator
from enhance_cli.evaluation.published import PUBLISHED
from enhance_cli.evaluation.scoring import score_pairs
from enhance_cli.inference.enhancer import Enhancer
from enhance_cli.inference.networks.torch_networks import TorchNetworks
from enhance_cli.inference.weights import load_weights, save_weights
from enhance_cli.inference.weights_file import Provenance, shipped_weights
from enhance_cli.models.cascade import Cascade


@pytest.fixture
def split(tmp_path):
    (tmp_path / "split.txt").write_text("a0001\na0003\n")
    return str(tmp_path / "split.txt")


def config_of(root, split, weights, **options) -> EvalConfig:
    data = DataConfig((Source("fivek", root),), split)
    return EvalConfig(data, weights, device="cpu", **options)


def rows_of(config):
    run = Evaluator(config)
    progress = list(run)
    assert progress[-1].done == progress[-1].total
    return run.rows


def test_identity_scores_the_originals(write_pairs, split, identity_weights):
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


def test_a_model_close_to_the_expert_scores_better(write_pairs, split, brightening_weights):
    """The experts are brighter by 25/255, the weights by 0.1: half a level remains."""
    rows = rows_of(config_of(write_pairs(), split, (brightening_weights,)))
    assert rows[1].method == "ce"
    assert rows[1].score.psnr == pytest.approx(-20 * np.log10(0.1 - 25 / 255), abs=0.01)
    assert rows[1].score.l2_lab < 0.3 < rows[0].score.l2_lab


def test_photos_that_the_weights_were_trained_on_are_counted(
    write_pairs, split, brightening_weights
):
    rows = rows_of(config_of(write_pairs(), split, (brightening_weights,)))
    assert (rows[0].trained_on, rows[1].trained_on) == (0, 1)


def test_two_weights_of_one_variant_get_separate_rows(
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


def test_a_split_without_any_pair_is_an_error(write_pairs, identity_weights):
    with pytest.raises(PairsError, match="none of the 4 pairs is in the split random250"):
        Evaluator(config_of(write_pairs(), "random250", (identity_weights,)))


def test_scores_during_training_equal_those_of_eval(write_pairs, split, brightening_weights):
    run = Evaluator(config_of(write_pairs(), split, (brightening_weights,)))
    list(run)
    enhancer = Enhancer(TorchNetworks(load_weights(brightening_weights).model, torch.device("cpu")))
    assert score_pairs(enhancer, run.pairs, run.collection.cache) == run.rows[1].score


@pytest.fixture
def outputs(write_pairs, tmp_path):
    """Pictures by another system, under its own names: brighter by 20 of the 25 levels."""

    def make(name="theirs", keys=("a0001", "a0003")):
        root = write_pairs()
        for key in keys:
            original = next((root / "input").glob(f"{key}*"))
            (tmp_path / name).mkdir(exist_ok=True)
            pixels = np.asarray(Image.open(original)) + np.uint8(20)
            Image.fromarray(pixels).save(tmp_path / name / f"{key}_result.png")
        return root, tmp_path / name

    return make


class TestOutputs:
    def test_pictures_of_another_system_are_matched_by_name(self, outputs, split):
        root, theirs = outputs()
        run = Evaluator(config_of(root, split, (), outputs=(theirs,)))
        list(run)
        assert [row.method for row in run.rows] == ["identity", "theirs"]
        row = run.rows[1]
        assert row.score.psnr == pytest.approx(-20 * np.log10(5 / 255), abs=0.01)
        assert (row.weights, row.outputs, row.photos) == (None, str(theirs), 2)

    def test_they_come_after_the_weights(self, outputs, split, brightening_weights):
        root, theirs = outputs()
        config = config_of(root, split, (brightening_weights,), outputs=(theirs,))
        assert [row.method for row in rows_of(config)] == ["identity", "ce", "theirs"]

    def test_a_missing_picture_is_reported(self, outputs, split):
        root, theirs = outputs(keys=("a0003",))
        config = config_of(root, split, (), outputs=(theirs,))
        with pytest.raises(PairsError, match=r"a0001: no picture of it in .*theirs"):
            list(Evaluator(config))
        config = replace(config, data=replace(config.data, skip_bad_pairs=True))
        run = Evaluator(config)
        list(run)
        assert [row.photos for row in run.rows] == [1, 1]
        assert [bad.key for bad in run.bad] == ["a0001"]

    def test_larger_pictures_are_downscaled_to_the_size_of_the_pair(self, outputs, split):
        root, theirs = outputs()
        for path in theirs.iterdir():
            picture = Image.open(path)
            picture.resize((96, 64), Image.Resampling.LANCZOS).save(path)
        assert rows_of(config_of(root, split, (), outputs=(theirs,)))[1].score.psnr > 30

    def test_crops_are_refused(self, outputs, split):
        root, theirs = outputs()
        Image.open(theirs / "a0003_result.png").crop((0, 0, 32, 32)).save(
            theirs / "a0003_result.png"
        )
        with pytest.raises(PairsError, match=r"a0003: .* is 32 x 32, the pair is 48 x 32"):
            list(Evaluator(config_of(root, split, (), outputs=(theirs,))))

    def test_a_missing_folder_is_an_error(self, write_pairs, split, tmp_path):
        with pytest.raises(UsageError, match="--outputs"):
            Evaluator(config_of(write_pairs(), split, (), outputs=(tmp_path / "gone",)))


def test_all_weights_of_a_folder_are_scored(
    write_pairs, split, brightening_weights, identity_weights, tmp_path
):
    for name in ("b", "a"):
        (tmp_path / f"{name}.safetensors").write_bytes(brightening_weights.read_bytes())
    (tmp_path / "notes.txt").write_text("no weights")
    (tmp_path / "0.safetensors").write_bytes(identity_weights.read_bytes())
    rows = rows_of(config_of(write_pairs(), split, (tmp_path,)))
    expected = ["ce (a.safetensors)", "ce (b.safetensors)", "ce+prnl"]
    assert [row.method for row in rows[1:]] == expected, "in the order of table 1"
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="no weights file"):
        Evaluator(config_of(write_pairs(), split, (tmp_path / "empty",)))


def test_a_panel_is_written_for_every_photo(outputs, split, brightening_weights, tmp_path):
    root, theirs = outputs()
    config = config_of(root, split, (brightening_weights,), outputs=(theirs,))
    rows_of(replace(config, panels=tmp_path / "panels"))
    assert {path.name for path in (tmp_path / "panels").iterdir()} == {"a0001.png", "a0003.png"}
    panel = np.asarray(Image.open(tmp_path / "panels" / "a0003.png"))
    pair = [np.asarray(Image.open(root / part / "a0003-z.png")) for part in ("input", "expertC")]
    left, width = 16, 48 + 16
    for column, expected in ((0, pair[0]), (2, pair[0] + 20), (3, pair[1])):
        place = left + column * width
        assert np.array_equal(panel[16:48, place : place + 48], expected)


def test_the_published_figures_are_as_printed():
    rows = {(row.table, row.method): row for row in PUBLISHED}
    assert len(rows) == 11
    best = rows[1, "CE+PRNL"]
    assert (best.l2_lab, best.psnr, best.ssim) == (9.10, 24.19, 0.915)
    assert rows[2, "Exemplar-based"].psnr is None


def test_changes_to_finished_photos_are_measured(
    write_pairs, split, brightening_weights, identity_weights
):
    """Adding 0.1 to every channel gives a PSNR of 20 dB; identity weights change nothing."""
    root = write_pairs()
    config = config_of(root, split, (brightening_weights, identity_weights))
    run = Evaluator(replace(config, do_no_harm=True))
    progress = list(run)
    assert len(progress) == run.total == 2 * 5
    assert sum(report.given == "expert" for report in progress) == 4
    brighter, same = run.change_rows
    assert (brighter.method, brighter.photos) == ("ce", 2)
    assert brighter.score.psnr == pytest.approx(20, abs=0.01)
    expected = []
    for name in ("a0001-x", "a0003-z"):
        finished = np.asarray(Image.open(root / "expertC" / f"{name}.png")) / 255
        change = np.linalg.norm(rgb2lab(finished + 0.1) - rgb2lab(finished), axis=-1).mean()
        expected.append(change)
    assert brighter.score.l2_lab == pytest.approx(np.mean(expected), abs=1e-3)
    assert brighter.above_threshold == sum(change > 10 for change in expected)
    assert same.score.l2_lab == pytest.approx(0, abs=1e-3) and same.above_threshold == 0
    assert Evaluator(config).change_rows == []


def test_cenet_alone_is_scored_on_request(write_pairs, split, brightening_weights, tmp_path):
    """CENet adds 0.1 and PRNet subtracts 0.05; the experts add 25/255."""
    model = Cascade(ModelConfig(input_side=64, fit="squash"))
    with torch.no_grad():
        model.cenet.head[-1].bias[9:] = 0.1
        model.prnet.to_rgb.bias[:] = -0.05
    save_weights(tmp_path / "both.safetensors", model, Provenance())
    weights = (tmp_path / "both.safetensors", brightening_weights)
    rows = rows_of(config_of(write_pairs(), split, weights, with_coarse=True))
    assert [row.method for row in rows] == ["identity", "ce+prnl, coarse only", "ce+prnl", "ce"]
    expected = [-20 * np.log10(abs(added - 25 / 255)) for added in (0.1, 0.05, 0.1)]
    assert [row.score.psnr for row in rows[1:]] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("option", ["with_coarse", "do_no_harm"])
def test_options_on_weights_are_refused_without_weights(outputs, split, option):
    root, theirs = outputs()
    config = config_of(root, split, (), outputs=(theirs,), **{option: True})
    name = option.replace("_", "-")
    with pytest.raises(UsageError, match=f"--{name} has no effect: only --outputs are scored"):
        Evaluator(config)


def test_cenet_alone_is_no_part_of_weights_that_are_cenet(write_pairs, split, brightening_weights):
    config = config_of(write_pairs(), split, (brightening_weights,), with_coarse=True)
    with pytest.raises(UsageError, match="--with-coarse has no effect: no weights"):
        Evaluator(config)


def test_shipped_weights_are_scored_beside_another_system(outputs, split):
    root, theirs = outputs()
    run = Evaluator(config_of(root, split, (Path("shipped"),), outputs=(theirs,)))
    assert run.entries[0].file.path == shipped_weights()
    assert run.methods == ["ce+prnl", "theirs"]
