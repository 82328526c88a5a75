"""What a training run leaves for TensorBoard to show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.errors import OutputError, UsageError


class Diary:
    """Scalars and pictures by epoch; without a folder nothing is written.

    Args:
        folder: Where the event files go.
        done: Epochs that are behind a resumed run; what was written after them is dropped.

    Raises:
        UsageError: TensorBoard is not installed.
        OutputError: The folder cannot be written.
    """

    def __init__(self, folder: Path | None, done: int = 0) -> None:
        self._folder = folder
        self._writer: Any = None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as problem:
            raise UsageError(
                "--log-dir: TensorBoard is not there; pip install tensorboard"
            ) from problem
        try:
            self._writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None)
        except OSError as problem:
            raise OutputError(f"--log-dir {folder}: {problem.strerror or problem}") from problem

    def scalars(self, values: Mapping[str, float | None], epoch: int) -> None:
        """Write numbers; None is passed over."""
        for name, value in values.items():
            if self._writer and value is not None:
                self._writer.add_scalar(name, value, epoch)
        self._flush()

    def picture(self, name: str, picture: NDArray[np.uint8], epoch: int) -> None:
        """Write a picture, ``(H, W, 3)``."""
        if self._writer:
            self._writer.add_image(name, picture, epoch, dataformats="HWC")
        self._flush()

    def close(self) -> None:
        """Finish the file."""
        if self._writer:
            self._writer.close()

    def _flush(self) -> None:
        try:
            if self._writer:
                self._writer.flush()
        except OSError as problem:
            raise OutputError(
                f"--log-dir {self._folder}: {problem.strerror or problem}"
            ) from problem
