"""Which URLs name a place of photos or results, and which cannot."""

from __future__ import annotations

import re

from enhance_cli.errors import UsageError

STORES = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")
"""Schemes of object stores; each has buckets, or containers."""

DISK = "file"
"""The scheme of folders and files on this machine."""

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)", re.IGNORECASE)


def refuse_unusable_url(text: str, what: str, *, stores: bool = True) -> None:
    """Refuse a URL that names no place of photos: as a path, it would name a local folder.

    Args:
        text: A URL; anything else is accepted.
        what: What to call it in the message.
        stores: Whether object stores can be used here.

    Raises:
        UsageError: It is of a kind that cannot be listed, names no bucket, or names an object store
            where none can be used.
    """
    found = _URL.fullmatch(text)
    if found is None:
        return
    scheme = found["scheme"].lower()
    if scheme not in {*STORES, DISK}:
        raise unlistable(what, scheme)
    if not stores:
        raise UsageError(f"{what}: must be on a disk of this machine, given by its path")
    if not found["rest"].strip("/") and scheme != DISK:
        raise UsageError(f"{what}: names no bucket; give one, as in {scheme}://bucket/folder")


def unlistable(what: str, scheme: str) -> UsageError:
    """The error for a URL of this scheme, of whose place nobody can tell what it holds."""
    return UsageError(f"{what}: {scheme} cannot be listed; use s3, gs, az or file")
