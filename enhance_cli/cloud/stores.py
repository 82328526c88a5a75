"""What a store of photos and results can do, be it a folder on a disk or an object store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object, or a file.

    Attributes:
        key: Its key below the place.
        size: Its size in bytes.
        version: What changes whenever its content does.
        modified: Time of its last change in nanoseconds since 1970.
    """

    key: str
    size: int
    version: str
    modified: int = 0


class Store(Protocol):
    """A folder on a disk or in an object store; keys are paths below it, with slashes."""

    url: str
    """As the user named it, in one form; without a slash at its end."""

    is_local: bool
    """Whether it is a folder on a disk."""

    def check(self) -> bool:
        """Look whether the place can be reached; a wrong address is reported within seconds.

        Returns:
            Whether anything is there.

        Raises:
            EnhanceError: It cannot.
        """
        ...

    def name(self, key: str) -> str:
        """An object as messages name it."""
        ...

    def pages(self, after: str = "", below: str = "") -> Iterator[list[StoredObject]]:
        """All objects in the order of their keys, page by page.

        Args:
            after: Only those with larger keys.
            below: Only those in this folder and its subfolders.
        """
        ...

    def names_after(self, folder: str, name: str) -> list[str] | None:
        """Some of the names in a folder that follow a name, those in its subfolders included.

        Returns:
            The names below the folder in their order; none if no more follow; None if the store
            cannot begin a listing in its middle.
        """
        ...

    def head(self, key: str) -> StoredObject | None:
        """What is known of an object; None if it is not there."""
        ...

    def heads(self, keys: Sequence[str]) -> dict[str, StoredObject]:
        """What is known of those objects that are there."""
        ...

    def read(self, key: str) -> bytes | None:
        """The content of a small object; None if it is not there."""
        ...

    def fetch(self, key: str, path: Path) -> StoredObject:
        """Write an object to a file.

        Raises:
            FileNotFoundError: It is not there any more.
        """
        ...

    def write(self, key: str, content: bytes, create: bool = False) -> bool:
        """Store a small object at once.

        Args:
            key: Its key.
            content: Its content.
            create: Only if there is none.

        Returns:
            Whether it was stored.
        """
        ...

    def put(
        self,
        key: str,
        path: Path,
        present: StoredObject | None,
        overwrite: bool,
        label: str,
        before: Callable[[str], None],
    ) -> str:
        """Store a file in one step.

        Args:
            key: Its key.
            path: The file.
            present: The object that may be replaced; None if there is none.
            overwrite: Whether any other may be replaced as well.
            label: What a store with metadata notes beside it.
            before: Called with its version before it appears, where that can be known.

        Returns:
            The version of the stored object.

        Raises:
            PlaceTakenError: Another object has come into its place.
        """
        ...

    def label(self, key: str) -> str | None:
        """What was noted beside an object; None if nothing."""
        ...

    def delete(self, keys: list[str]) -> None:
        """Remove objects; missing ones are no error."""
        ...
