import time

import pytest

from enhance_cli.cli.train import progress as module
from enhance_cli.cli.train.progress import TrainingBar, epoch_line, say_what_to_do_with
from enhance_cli.config.training import StageConfig
from enhance_cli.training.plan import StagePlan
from enhance_cli.training.trainer import EpochReport, StepReport

COARSE = StageConfig(epochs=20, loss="lab")
REFINE = StageConfig(name="refine", trains="prnet", epochs=5)
PLAN = [StagePlan("ce+prnl", COARSE, 12), StagePlan("ce+prnl", REFINE, 6)]


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(module, "say", lines.append)
    return lines


def test_the_plan_is_announced(said):
    bar = TrainingBar()
    bar.announce(PLAN)
    assert said[0] == "ce+prnl coarse: CENet, 20 epochs of 12 steps, lab loss"
    assert said[1] == "ce+prnl refine: PRNet, 5 epochs of 6 steps, mse loss"
    assert said[2].startswith("270 steps in all")
    (task,) = bar.progress.tasks
    assert (task.visible, task.completed, task.total) == (True, 0, 270)


def test_a_resumed_run_says_from_where(said):
    done = [PLAN[0]._replace(done=20), PLAN[1]._replace(done=2)]
    bar = TrainingBar()
    bar.announce(done)
    assert said[0].endswith("lab loss; finished before")
    assert said[1].endswith("mse loss; continuing after epoch 2")
    assert said[2].startswith("18 steps in all")
    bar.update(StepReport("refine", 3, 5, 1, 6, 0.5, "ce+prnl", "mse"))
    assert bar.progress.tasks[0].completed == 1


@pytest.mark.usefixtures("said")
def test_the_bar_counts_the_steps_of_the_whole_run():
    bar = TrainingBar()
    bar.announce(PLAN)
    for epoch, step, stage, steps, expected in (
        (1, 1, COARSE, 12, 1),
        (2, 12, COARSE, 12, 24),
        (1, 1, REFINE, 6, 241),
        (5, 6, REFINE, 6, 270),
    ):
        report = StepReport(stage.name, epoch, stage.epochs, step, steps, 0.5, "ce+prnl", "lab")
        bar.update(report)
        assert bar.progress.tasks[0].completed == expected
    assert "lab loss 0.50000" in bar.progress.tasks[0].description


def test_the_time_of_a_stage_is_said_after_ten_steps(said, monkeypatch):
    """One step takes 36 s: after the tenth of 240, 230 are left, which is 2.3 hours."""
    clock = iter(range(0, 36 * 300, 36))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    bar = TrainingBar()
    for number in range(24):
        report = StepReport("coarse", number // 12 + 1, 20, number % 12 + 1, 12, 0.5, "ce", "mse")
        bar.update(report)
        assert len(said) == (number >= 9)
    assert said == ["ce coarse: 36.00 s a step, so the stage takes about 2.3 hours more"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(40, "40 seconds"), (600, "10 minutes"), (9000, "2.5 hours")]
)
def test_durations(seconds, words):
    assert module._duration(seconds) == words


def test_an_epoch_names_its_loss():
    report = EpochReport("coarse", 1, 20, 0.25, 1e-3, 10.0, variant="ce", loss_name="lab")
    assert epoch_line(report).startswith("ce coarse 1/20  lab loss 0.25000  rate 1.00e-03")


def test_a_folder_of_weights_is_scored_not_used(said, tmp_path):
    (tmp_path / "w.safetensors").touch()
    say_what_to_do_with(tmp_path / "w.safetensors")
    assert [line.split(":")[0] for line in said[1:]] == ["to use it", "to score it"]
    said.clear()
    say_what_to_do_with(tmp_path)
    assert [line.split(":")[0] for line in said] == [f"wrote {tmp_path}", "to score it"]
