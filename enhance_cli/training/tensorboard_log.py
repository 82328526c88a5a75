"""Writes curves and sample images for TensorBoard."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.atomic_write import remedy
from enhance_cli.errors import OutputError, UsageError

_OTHERWISE = "choose another --log-dir, or leave it out"

SPARE = 2**20
"""Bytes of disk space to leave free."""


class TensorBoardLog:
    """Writes scalars and images by epoch.

    Args:
        folder: Folder for the event files; None writes nothing.
        done: Number of epochs that a resumed run has finished. Entries of later epochs are dropped.

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
                "--log-dir: TensorBoard is not installed; pip install tensorboard"
            ) from problem
        try:
            self._writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None)
        except OSError as problem:
            raise OutputError(
                f"--log-dir {folder}: {problem.strerror or problem}; {remedy(problem, _OTHERWISE)}"
            ) from problem

    def scalars(self, values: Mapping[str, float | None], epoch: int) -> None:
        """Write the numbers of an epoch. None is skipped.

        Raises:
            OutputError: The disk is full.
        """
        for name, value in values.items():
            if value is not None:
                self._write(lambda writer, n=name, v=value: writer.add_scalar(n, v, epoch))

    def image(self, name: str, image: NDArray[np.uint8], epoch: int) -> None:
        """Write an image, ``(H, W, 3)``, uint8, sRGB.

        Raises:
            OutputError: The disk is full.
        """
        self._write(
            lambda writer: writer.add_image(name, image, epoch, dataformats="HWC"),
            image.nbytes,
        )

    def close(self) -> None:
        """Close the event file."""
        self._write(lambda writer: writer.close(), closing=True)

    def _write(self, act: Callable[[Any], object], size: int = 0, closing: bool = False) -> None:
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        try:
            # TensorBoard writes in a thread, where a full disk would print a traceback.
            if not closing and shutil.disk_usage(str(self._folder)).free < size + SPARE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            act(writer)
            if not closing:
                writer.flush()
        except OSError as problem:
            raise OutputError(
                f"--log-dir {self._folder}: {problem.strerror or problem}; "
                f"{remedy(problem, _OTHERWISE)}; --resume continues from the last checkpoint"
            ) from problem
        self._writer = None if closing else writer
