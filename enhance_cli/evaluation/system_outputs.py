"""Pictures that other systems have made of the same photos."""

from __future__ import annotations

import os
from pathlib import Path

from enhance_cli.data.pairs import Pair, by_name, fivek_id
from enhance_cli.errors import PairsError, UsageError
from enhance_cli.evaluation.scoring import Pixels
from enhance_cli.imaging.codecs.decode import decode


class SystemOutputs:
    """A folder with the results of one system, matched to pairs by file name.

    Args:
        folder: The folder.

    Raises:
        UsageError: The folder does not exist.
        PairsError: Two files have the same name.
    """

    def __init__(self, folder: Path) -> None:
        if not os.path.isdir(folder):  # noqa: PTH112
            raise UsageError(f"--outputs {folder}: no such folder")
        found = by_name(folder, lambda path: _matching_name(path.stem))
        for name, paths in found.items():
            if len(paths) > 1:
                raise PairsError(f"duplicate {name}: {paths[0]} and {paths[1]}")
        self._paths = {name: paths[0] for name, paths in found.items()}

    def __contains__(self, key: str) -> bool:
        return _matching_name(key) in self._paths

    def pixels(self, pair: Pair, shape: tuple[int, int]) -> Pixels:
        """Read the result for a pair: ``(*shape, 3)``, float32, sRGB in [0, 1].

        Args:
            pair: The pair; it must be among the results.
            shape: Height and width of its photos. A larger result is downscaled to it.

        Raises:
            PairsError: The result has another aspect ratio, or is smaller.
            PhotoError: It cannot be read.
        """
        path = self._paths[_matching_name(pair.key)]
        pixels = decode(path, max(shape)).as_srgb()
        if pixels.shape[:2] != shape:
            raise PairsError(
                f"{pair.key}: {path} is {pixels.shape[1]} x {pixels.shape[0]}, the pair is "
                f"{shape[1]} x {shape[0]}; give pictures of whole photos, not smaller"
            )
        return pixels


def _matching_name(key: str) -> str:
    return fivek_id(key) or Path(key).name
