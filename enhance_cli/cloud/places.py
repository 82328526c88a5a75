"""Where photos come from and results go: URLs and paths."""

from __future__ import annotations

import re
from pathlib import Path

from enhance_cli.cloud.local_folder import LocalFolder
from enhance_cli.cloud.stores import Store
from enhance_cli.config.urls import DISK, STORES, unlistable
from enhance_cli.errors import UsageError

_REFUSED = ("http", "https", "memory")

_URL = re.compile(
    f"(?P<scheme>{'|'.join((*STORES, DISK, *_REFUSED))}):/+(?P<rest>.*)", re.IGNORECASE
)
"""A URL; a path that was made of one has lost a slash."""


def url_of(place: Path | str) -> str | None:
    """The URL that a path was made of; None if it is a path on a disk."""
    text = place.as_posix() if isinstance(place, Path) else place
    found = _URL.fullmatch(text)
    if found is None:
        return None
    scheme = found["scheme"].lower().replace("s3a", "s3")
    if scheme in _REFUSED:
        raise unlistable(text, scheme)
    slashes = ":///" if scheme == "file" else "://"
    return f"{scheme}{slashes}{found['rest']}".rstrip("/")


def is_url(place: Path | None) -> bool:
    """Whether a path was made of a URL."""
    return place is not None and _URL.fullmatch(place.as_posix()) is not None


def local_path(place: str) -> Path | None:
    """The folder or file on this machine that a place names; None if it is in an object store."""
    url = url_of(place)
    if url is None:
        return Path(place)
    if not url.startswith("file:"):
        return None
    from urllib.request import url2pathname  # late: it imports all of HTTP

    return Path(url2pathname(url.removeprefix("file://")))


def on_disk(place: Path) -> Path | None:
    """The path itself, or that of a ``file`` URL; None if it names something in an object store."""
    return local_path(place.as_posix()) if is_url(place) else place


def open_store(place: str) -> Store:
    """Open a folder or an object store.

    Raises:
        UsageError: The package for object stores is missing, or the URL is wrong.
    """
    path = local_path(place)
    if path is not None:
        return LocalFolder(path, url_of(place) or place)
    try:
        from enhance_cli.cloud.object_store import ObjectStore
    except ModuleNotFoundError as problem:
        raise UsageError(
            f'{place}: object stores need another package; run: pip install "enhance-cli[cloud]"'
        ) from problem
    return ObjectStore(url_of(place) or place)
