"""A web page that shows every photo before and after."""

from __future__ import annotations

import base64
import contextlib
import html
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import TextIO
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from enhance_cli.atomic_write import ANYTHING, Publisher

_PAGE = "gallery.html"
_PHOTOS, _FAILED = "<!-- photos -->", "<!-- failed -->"


@dataclass(frozen=True)
class GalleryEntry:
    """A photo on the page.

    Attributes:
        name: Caption.
        before: Thumbnail before retouching, a WebP file.
        after: Thumbnail after retouching, a WebP file.
        size: Width and height of the thumbnails.
        output: The result, to which the page links.
        coarse: CENet's map, ``(3, 4)``, from R, G, B and 1; None if there is none.
    """

    name: str
    before: bytes
    after: bytes
    size: tuple[int, int]
    output: Path
    coarse: NDArray[np.float32] | None


class Gallery:
    """A self-contained page, written photo by photo so that thousands take no memory.

    The file appears under its name when :meth:`close` is called.

    Args:
        path: The HTML file; missing folders are created.
        publisher: Decides whether a file that is there may be replaced.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, publisher: Publisher = ANYTHING) -> None:
        self.path = path
        page = resources.files("enhance_cli.batch").joinpath(_PAGE).read_text(encoding="utf-8")
        head, rest = page.split(_PHOTOS)
        middle, self._foot = rest.split(_FAILED)
        self._middle = middle
        self._failed: list[str] = []
        self._count = 0
        self._series: int | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._publisher = publisher
        self._temporary = publisher.temporary_path(path)
        file = os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, publisher.mode)
        self._file: TextIO = os.fdopen(file, "w", encoding="utf-8")
        self._file.write(head)

    def add(self, entry: GalleryEntry, series: int | None = None) -> None:
        """Add a photo, under the heading of its series; None if it is in none."""
        if series != self._series:
            self._series = series
            self._file.write(f"<h2>{f'Series {series}' if series else 'Single photos'}</h2>\n")
        self._count += 1
        values = {
            "name": _text(entry.name),
            "before": _data_url(entry.before),
            "after": _data_url(entry.after),
            "ratio": f"{entry.size[0]} / {entry.size[1]}",
            "link": html.escape(_link(entry.output, self.path.parent)),
            "map": _table_of(entry.coarse) if entry.coarse is not None else "",
        }
        self._file.write(_PHOTO.substitute(values))

    def add_failed(self, name: str, reason: str) -> None:
        """List a photo that has no result, with the reason."""
        self._failed.append(f"<li><b>{_text(name)}</b> {_text(reason)}</li>\n")

    def close(self) -> None:
        """Finish the page and rename it.

        Raises:
            OSError: It cannot be written.
            PlaceTakenError: A file is there that may not be replaced.
        """
        heading = f"<h2>Failed ({len(self._failed)})</h2>\n<ul>\n" if self._failed else ""
        failed = heading + "".join(self._failed) + ("</ul>\n" if self._failed else "")
        self._file.write(self._middle + failed + self._foot)
        self._file.close()
        self._publisher.publish(self._temporary, self.path)

    def discard(self) -> None:
        """Remove the temporary file."""
        with contextlib.suppress(OSError):  # an unwritable disk has been reported already
            self._file.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)


_PHOTO = Template("""<figure>
<div class="pair" style="--ratio: $ratio">
<img src="$before" alt="before" decoding="async" loading="lazy">
<img class="after" src="$after" alt="after" decoding="async" loading="lazy">
<input type="range" min="0" max="100" value="50" aria-label="before and after of $name">
</div>
<figcaption><a href="$link">$name</a>$map</figcaption>
</figure>
""")


def _data_url(image: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(image).decode()


def _text(name: str) -> str:
    """A text for the page; bytes of a file name that are not UTF-8 become question marks."""
    return html.escape(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _link(output: Path, folder: Path) -> str:
    try:
        relative = os.path.relpath(output.resolve(), folder.resolve())
    except ValueError:  # on another drive
        return output.resolve().as_uri()
    return quote(os.fsencode(Path(relative).as_posix()))


def _table_of(coarse: NDArray[np.float32]) -> str:
    """A table of ``coarse = (1 + W_s) p + b_s``, row by row (eq. 1 and 3)."""
    rows = []
    for channel, name in enumerate("RGB"):
        cells = "".join(f"<td>{value:+.3f}</td>" for value in coarse[channel].tolist())
        rows.append(f"<tr><th>{name}</th>{cells}</tr>")
    head = "<tr><th></th><th>R</th><th>G</th><th>B</th><th>1</th></tr>"
    return f"<details><summary>coarse map</summary><table>{head}{''.join(rows)}</table></details>"
