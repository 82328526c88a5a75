"""What a run shows beside its results: colour maps, comparisons, a gallery."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from enhance_cli.config import ApplyConfig
from enhance_cli.engine.gallery import Exhibit, Gallery
from enhance_cli.engine.planning import PlannedPhoto
from enhance_cli.engine.retouching import Retouch
from enhance_cli.errors import OutputError, UsageError
from enhance_cli.imaging.colour import Floats
from enhance_cli.imaging.decoding import decode
from enhance_cli.imaging.lut import write_cube
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.preview import COMPARED, THUMBNAIL, thumbnail, write_comparison


class Showing:
    """Takes every photo of a run, and writes what is to stand beside the results.

    Args:
        config: The run.

    Raises:
        UsageError: One of them lies where it would do harm.
    """

    def __init__(self, config: ApplyConfig) -> None:
        self._config = config
        self._gallery: Gallery | None = None
        _refuse_bad_places(config)

    def open(self) -> None:
        """Begin; to be called once the run may write.

        Raises:
            OutputError: The gallery cannot be written.
        """
        if self._config.gallery:
            try:
                self._gallery = Gallery(self._config.gallery)
            except OSError as problem:
                raise _unwritable("--gallery", self._config.gallery, problem) from problem

    def lacks(self, photo: PlannedPhoto) -> bool:
        """Whether something that is to stand beside a photo's result is not there."""
        return any(not path.exists() for path in self._paths(photo).values())

    def made_small(self, photo: Photo) -> Photo | None:
        """What is to be kept of a photo until it can be shown; None where nothing is shown."""
        wanted = self._config.compare or self._config.gallery
        return photo.fitted(COMPARED) if wanted else None

    def prepared(
        self,
        photo: PlannedPhoto,
        before: Photo | None,
        after: Photo | None,
        seen: Retouch | None,
    ) -> Exhibit | None:
        """Write what stands beside a result, and make what the gallery shows; in any thread.

        Args:
            photo: Which.
            before: As it was, made small.
            after: Its result, made small.
            seen: What was done to it; None where nothing was.

        Raises:
            PhotoError: Something of it cannot be written.
            OutputError: Nothing can be written at all.
        """
        paths = self._paths(photo)
        if "lut" in paths:
            self._write_lut(photo, seen, paths["lut"])
        if before is None or after is None:
            return None
        if "compare" in paths:
            write_comparison(before, after, paths["compare"])
        return self._exhibit(photo, before, after, seen) if self._gallery else None

    def prepared_again(self, photo: PlannedPhoto) -> Exhibit | None:
        """What the gallery shows of a photo whose result is from an earlier run.

        Raises:
            PhotoError: Photo or result cannot be read.
        """
        if self._gallery is None or not photo.output.exists():
            return None
        before, after = (decode(path, THUMBNAIL) for path in (photo.input, photo.output))
        return self._exhibit(photo, before, after, None)

    def add(self, exhibit: Exhibit) -> None:
        """Put a photo onto the gallery, after those before it.

        Raises:
            OutputError: It cannot be written.
        """
        if self._gallery:
            try:
                self._gallery.add(exhibit)
            except OSError as problem:
                raise _unwritable("--gallery", self._gallery.path, problem) from problem

    def add_failed(self, photo: PlannedPhoto, reason: str) -> None:
        """Name a photo that has no result."""
        if self._gallery:
            self._gallery.add_failed(str(photo.input), reason.removeprefix(f"{photo.input}: "))

    def close(self) -> None:
        """Finish the gallery."""
        if self._gallery:
            try:
                self._gallery.close()
            except OSError as problem:
                raise _unwritable("--gallery", self._gallery.path, problem) from problem
            finally:
                self._gallery.discard()
                self._gallery = None

    def _paths(self, photo: PlannedPhoto) -> dict[str, Path]:
        """What is to be written beside the result; the whole name, so that no two are one."""
        relative = photo.output.relative_to(self._config.out)
        paths: dict[str, Path] = {}
        if self._config.lut:
            paths["lut"] = self._config.lut / relative.with_name(f"{relative.name}.cube")
        if self._config.compare:
            paths["compare"] = self._config.compare / relative.with_name(f"{relative.name}.jpg")
        return paths

    def _write_lut(self, photo: PlannedPhoto, seen: Retouch | None, path: Path) -> None:
        def mapping(colours: Floats) -> Floats:
            if seen is None:
                return colours
            change = seen.coarse(colours) - colours
            return colours + np.multiply(change, self._config.strength, dtype=np.float32)

        try:
            write_cube(mapping, path, photo.input.name)
        except OSError as problem:
            raise _unwritable("--lut", path, problem) from problem

    def _exhibit(
        self, photo: PlannedPhoto, before: Photo, after: Photo, seen: Retouch | None
    ) -> Exhibit:
        small = after.fitted(THUMBNAIL)
        name = str(photo.output.relative_to(self._config.out))
        mapping = seen.mapping if seen else None
        return Exhibit(name, thumbnail(before), thumbnail(small), small.size, photo.output, mapping)


def _refuse_bad_places(config: ApplyConfig) -> None:
    if config.compare and config.compare.resolve() == config.out.resolve():
        raise UsageError(f"--compare {config.compare}: choose a folder other than --out")
    if config.gallery and config.gallery.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"--gallery {config.gallery}: give the name of an .html file")


def _unwritable(option: str, path: Path, problem: OSError) -> OutputError:
    return OutputError(f"{option} {path}: {problem.strerror or problem}; choose another place")
