"""A web page that shows every photo before and after."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import math
import os
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePath
from string import Template
from typing import TextIO
from urllib.parse import quote

from enhance_cli.atomic_write import ANYTHING, Publisher, make_folder
from enhance_cli.imaging.preview import THUMBNAIL_EDGE

_PHOTOS, _FAILED = "<!-- photos -->", "<!-- failed -->"

MAX_EDGE = 1600
"""Longer edge, in pixels, of the pictures in a page of few photos."""

_PIXELS = 160e6
"""Squares of longer edges that a page may hold, as long as its pictures are not the smallest."""


def picture_edge(photos: int) -> int:
    """Longer edge, in pixels, of the pictures in a page, so that its size stays bounded.

    A page of up to 1,000 photos has about 40 MB; beyond, each photo adds about 45 kB.

    Args:
        photos: Number of photos on the page.
    """
    return min(max(round(math.sqrt(_PIXELS / max(photos, 1))), THUMBNAIL_EDGE), MAX_EDGE)


@dataclass(frozen=True)
class GalleryEntry:
    """A photo on the page.

    Attributes:
        name: Path below the folder of results: its folders are the heading, its name the caption.
        before: Picture before retouching, a WebP file.
        after: Picture after retouching, a WebP file.
        size: Width and height of the pictures.
        output: The result, to which the page links.
        scene: Name of the scene to which the photo belongs, or None.
        look: Strength and dials as a text; empty if nothing was set.
    """

    name: str
    before: bytes
    after: bytes
    size: tuple[int, int]
    output: Path
    scene: str | None = None
    look: str = ""


class GalleryPage:
    """A self-contained page, written photo by photo so that thousands take no memory.

    It holds a picture of every photo before and after. Its large view shows the result itself if
    that can be reached by a relative link, as when the page is sent with its folder. The file
    appears under its name when :meth:`close` is called.

    Args:
        path: The HTML file; missing folders are created.
        publisher: Decides whether a file that is there may be replaced.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, publisher: Publisher = ANYTHING) -> None:
        self.path = path
        head, rest = _page().split(_PHOTOS)
        self._middle, self._foot = rest.split(_FAILED)
        self._failed: list[str] = []
        self._heading: tuple[str, str | None] | None = None
        make_folder(path.parent)
        self._publisher = publisher
        self._temporary = publisher.temporary_path(path)
        file = os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, publisher.mode)
        self._file: TextIO = os.fdopen(file, "w", encoding="utf-8")
        self._file.write(head)

    def add(self, entry: GalleryEntry) -> None:
        """Add a photo."""
        path = PurePath(entry.name)
        folder = "" if path.parent == PurePath() else path.parent.as_posix()
        self._begin_section(folder, entry.scene)
        values = {
            "name": _text(path.name),
            "before": base64.b64encode(entry.before).decode(),
            "after": base64.b64encode(entry.after).decode(),
            "ratio": f"{entry.size[0]} / {entry.size[1]}",
            "link": html.escape(_link(entry.output, self.path.parent)),
            "look": f"<small>{_text(entry.look)}</small>" if entry.look else "",
        }
        self._file.write(_PHOTO.substitute(values))

    def _begin_section(self, folder: str, scene: str | None) -> None:
        """Write headings where the folder or the scene changes; the page's script joins parts."""
        if self._heading == (folder, scene):
            return
        self._end_section()
        new_folder = self._heading is None or self._heading[0] != folder
        self._heading = (folder, scene)
        key = _text(f"{folder}/{scene or ''}")
        headings = f"<h2>{_text(folder)}</h2>\n" if folder and new_folder else ""
        if scene or not new_folder:
            headings += f"<h3>{_text(scene or 'Other photos')}</h3>\n"
        self._file.write(f'<section data-key="{key}">\n{headings}<div class="photos">\n')

    def _end_section(self) -> None:
        if self._heading is not None:
            self._file.write("</div>\n</section>\n")

    def add_failed(self, name: str, reason: str) -> None:
        """List a photo that has no result, with the reason."""
        plain = _OPTION.sub("", reason)
        self._failed.append(f"<li><b>{_text(name)}</b> {_text(plain)}</li>\n")

    def close(self) -> None:
        """Finish the page and rename it.

        Raises:
            OSError: It cannot be written.
            PlaceTakenError: A file is there that may not be replaced.
        """
        self._end_section()
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
<img data-picture="$before" alt="$name, before" decoding="async">
<img data-picture="$after" class="after" alt="$name, after" decoding="async">
<span class="tag">Before</span><span class="tag after">After</span>
<input type="range" dir="rtl" min="0" max="100" value="50" aria-label="Before and after of $name">
<button type="button" aria-label="Enlarge $name" title="Enlarge">&#10530;</button>
</div>
<figcaption><a href="$link">$name</a>$look</figcaption>
</figure>
""")

_OPTION = re.compile(r" \(--[a-z-]+\)")
"""An option of the command line in a message, of which those who see the page know nothing."""


def _page() -> str:
    """The page without its photos. Its policy lets it load nothing but pictures beside it."""
    style, script, page = (
        resources.files("enhance_cli.batch.side_outputs")
        .joinpath(f"gallery.{kind}")
        .read_text(encoding="utf-8")
        for kind in ("css", "js", "html")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data: file: 'self'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    return Template(page).substitute(policy=policy, style=style, script=script)


def _text(name: str) -> str:
    """A text for the page; bytes of a file name that are not UTF-8 become question marks."""
    return html.escape(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _link(output: Path, folder: Path) -> str:
    """A relative link, by the names that the folders have for whoever sends them."""
    result, here = (Path(os.path.abspath(path)) for path in (output, folder))  # noqa: PTH100
    if not result.is_relative_to(here):  # the way up may lead through symbolic links
        result, here = result.resolve(), here.resolve()
    try:
        relative = os.path.relpath(result, here)
    except ValueError:  # on another drive
        return result.as_uri()
    return quote(os.fsencode(Path(relative).as_posix()))
