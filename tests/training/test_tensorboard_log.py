import shutil

import numpy as np
import pytest

from enhance_cli.errors import OutputError, UsageError
from enhance_cli.training.tensorboard_log import TensorBoardLog

tensorboard = pytest.importorskip("tensorboard")


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_tensorboard_reads_what_is_written(tmp_path):
    log = TensorBoardLog(tmp_path)
    for epoch in (1, 2):
        log.scalars({"coarse/loss": 1 / epoch, "coarse/psnr": None}, epoch)
    log.image("coarse/a0001", np.full((20, 30, 3), 99, np.uint8), 2)
    log.close()
    events = read(tmp_path)
    assert [(one.step, one.value) for one in events.Scalars("coarse/loss")] == [(1, 1.0), (2, 0.5)]
    assert events.Tags()["scalars"] == ["coarse/loss"]
    image = events.Images("coarse/a0001")[0]
    assert (image.step, image.width, image.height) == (2, 30, 20)


def test_a_resumed_run_replaces_later_entries(tmp_path):
    first = TensorBoardLog(tmp_path)
    for epoch in (1, 2, 3):
        first.scalars({"loss": float(epoch)}, epoch)
    first.close()
    again = TensorBoardLog(tmp_path, done=1)
    again.scalars({"loss": 20.0}, 2)
    again.close()
    assert [(one.step, one.value) for one in read(tmp_path).Scalars("loss")] == [
        (1, 1.0),
        (2, 20.0),
    ]


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = TensorBoardLog(None)
    log.scalars({"loss": 1.0}, 1)
    log.image("a", np.zeros((2, 2, 3), np.uint8), 1)
    log.close()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_created(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--log-dir"):
        TensorBoardLog(tmp_path / "file" / "below")


def test_a_full_disk_raises_once_and_closing_does_not(tmp_path, monkeypatch):
    log = TensorBoardLog(tmp_path)
    usage = type(shutil.disk_usage(tmp_path))(10**9, 10**9 - 1000, 1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match=r"--log-dir .*No space left on device"):
        log.scalars({"loss": 1.0}, 1)
    log.close()


def test_tensorboard_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match="pip install tensorboard"):
        TensorBoardLog(tmp_path)
