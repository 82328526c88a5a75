"""Amazon S3, Google Cloud Storage, Azure Blob Storage, and stores that speak their languages."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotSupportedError,
    PreconditionError,
)
from obstore.store import from_url

from enhance_cli.cloud.stores import StoredObject
from enhance_cli.errors import OutputError, PlaceTakenError, UsageError

if TYPE_CHECKING:
    from obstore import ObjectMeta

_RETRIES: Any = {
    "max_retries": 10,
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=15),
        "base": 2,
    },
    "retry_timeout": timedelta(minutes=3),
}
"""For a store that is busy or gone for a moment, in the middle of a run."""

_FIRST_RETRIES: Any = {
    "max_retries": 3,
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=1),
        "base": 2,
    },
    "retry_timeout": timedelta(seconds=10),
}
"""For the first look, so that a wrong address is reported soon."""

_PAGE = 1000

Mode = Literal["create", "overwrite"] | dict[str, str]
"""Under which condition an object is stored: see obstore's ``PutMode``."""

_MOST_PAGES = 2
"""Pages that are listed to look at the places of a shard's results; others are asked for singly."""

_SIDE_BY_SIDE = 16

_LISTED_FROM_A_KEY = frozenset({"s3", "gs"})
"""Stores whose listing can begin at a key."""

_NOTE = "enhance"
"""Name of the metadata beside a result."""

_TYPES = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "image/jpeg"),
    **dict.fromkeys((".tif", ".tiff"), "image/tiff"),
    **dict.fromkeys((".heic", ".heif", ".hif"), "image/heic"),
    **{f".{name}": f"image/{name}" for name in ("png", "webp", "avif", "jxl")},
}

_USUAL: tuple[tuple[str, type[UsageError | OutputError], str], ...] = (
    (
        "NoSuchBucket|ContainerNotFound|bucket does not exist",
        UsageError,
        "there is no such bucket; check the name",
    ),
    (
        "169.254|credential|Account must be|metadata.google",
        UsageError,
        "no credentials found; set {credentials}",
    ),
    ("InvalidObjectState", UsageError, "is archived; restore it first"),
    (
        "AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|status code: 40[13]",
        UsageError,
        "access is denied ({code}); check {credentials}, and what they may do",
    ),
    (
        "error sending request|timed out|dns error|connect",
        OutputError,
        "the store cannot be reached; check the network, and the endpoint if you set one",
    ),
    ("invalid path", UsageError, "{problem}; rename that object"),
)
"""What errors of stores contain, and what to say of them."""

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
}
_AZURE_CREDENTIALS = "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"


class ObjectStore:
    """A place in an object store, see :class:`enhance_cli.cloud.stores.Store`.

    Credentials, region and endpoint come from the environment, as the store's own tools read them.

    Args:
        url: Its URL.

    Raises:
        UsageError: The URL is wrong.
    """

    is_local = False

    def __init__(self, url: str) -> None:
        self.url = url
        self._scheme = url.partition(":")[0]
        self._store = self._open(_RETRIES)
        self._conditions = True

    def _open(self, retries: Any) -> Any:
        scheme, _, rest = self.url.partition("://")
        # The usual 30 s for a request are not enough for a large photo on a slow line.
        options: Any = {"timeout": timedelta(minutes=10), "allow_http": _plain_endpoint()}
        with self._errors(self.url):
            return from_url(
                f"{scheme}://{quote(rest)}",
                client_options=options,
                retry_config=retries,
                **_profile(scheme),
            )

    def check(self) -> bool:
        """See :meth:`Store.check`."""
        with self._errors(self.url):
            found = obstore.list(self._open(_FIRST_RETRIES), chunk_size=1)
            return next(iter(found), None) is not None

    def name(self, key: str) -> str:
        """See :meth:`Store.name`."""
        return f"{self.url}/{key}" if key else self.url

    def pages(self, after: str = "", below: str = "") -> Iterator[list[StoredObject]]:
        """See :meth:`Store.pages`."""
        with self._errors(self.url):
            stream = obstore.list(
                self._store, below or None, offset=after or None, chunk_size=_PAGE
            )
            for page in stream:
                yield [_stored(meta) for meta in page]

    def names_after(self, folder: str, name: str) -> list[str] | None:
        """See :meth:`Store.names_after`."""
        if self._scheme not in _LISTED_FROM_A_KEY:
            return None
        start = f"{folder}/" if folder else ""
        page = next(self.pages(after=start + name, below=folder), [])
        return [one.key.removeprefix(start) for one in page]

    def head(self, key: str) -> StoredObject | None:
        """See :meth:`Store.head`."""
        with self._errors(self.name(key)):
            try:
                return _stored(obstore.head(self._store, key))
            except FileNotFoundError:
                return None

    def heads(self, keys: Sequence[str]) -> dict[str, StoredObject]:
        """See :meth:`Store.heads`; neighbours are looked up by listing them."""
        left = sorted(keys)
        if not left:
            return {}
        found: dict[str, StoredObject] = {}
        if self._scheme in _LISTED_FROM_A_KEY:
            wanted, first_key = set(left), left[0]
            first = self.head(first_key)
            left = left[1:]
            found |= {first.key: first} if first else {}
            for number, page in enumerate(self.pages(after=first_key) if left else ()):
                found |= {one.key: one for one in page if one.key in wanted}
                left = [key for key in left if page and key > page[-1].key]
                if not left or number + 1 == _MOST_PAGES:
                    break
            else:
                left = []
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as looking:
            found |= {one.key: one for one in looking.map(self.head, left) if one is not None}
        return found

    def read(self, key: str) -> bytes | None:
        """See :meth:`Store.read`."""
        with self._errors(self.name(key)):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError:
                return None

    def fetch(self, key: str, path: Path) -> StoredObject:
        """See :meth:`Store.fetch`; the file gets the time of the object."""
        with self._errors(self.name(key)):
            found = obstore.get(self._store, key)
            with path.open("wb") as file:
                for chunk in found.stream(min_chunk_size=2**22):
                    file.write(chunk)
        stored = _stored(found.meta)
        os.utime(path, ns=(stored.modified, stored.modified))
        return stored

    def write(self, key: str, content: bytes, create: bool = False) -> bool:
        """See :meth:`Store.write`."""
        with self._errors(self.name(key)):
            mode = "create" if create else "overwrite"
            return self._conditional(key, content, mode, {}) is not None

    def put(
        self,
        key: str,
        path: Path,
        present: StoredObject | None,
        overwrite: bool,
        label: str,
        before: Callable[[str], None],  # noqa: ARG002
    ) -> str:
        """See :meth:`Store.put`; the version is known only afterwards."""
        kind = _TYPES.get(Path(key).suffix.lower(), "application/octet-stream")
        mode: Mode = "overwrite" if overwrite else "create"
        if present is not None and not overwrite:
            mode = {"e_tag": present.version}
        with self._errors(self.name(key)):
            notes = {"Content-Type": kind, _NOTE: label}
            version = self._conditional(key, path, mode, notes)
        if version is None:
            raise PlaceTakenError(
                f"{self.name(key)}: an object is there that enhance did not write; it was left as "
                "it is"
            )
        return version

    def _conditional(
        self, key: str, content: bytes | Path, mode: Mode, notes: dict[str, str]
    ) -> str | None:
        """Store an object; None if the condition is not met.

        A store that knows no conditions is asked beforehand.
        """
        if self._conditions or mode == "overwrite":
            try:
                return self._stored_version(key, content, mode, notes)
            except (AlreadyExistsError, PreconditionError):
                return None
            except (NotSupportedError, NotImplementedError):
                self._conditions = False
            except BaseError as problem:
                if "501" not in str(problem) and "NotImplemented" not in str(problem):
                    raise
                self._conditions = False
        now = self.head(key)
        fits = now is None or (isinstance(mode, dict) and now.version == mode["e_tag"])
        return self._stored_version(key, content, "overwrite", notes) if fits else None

    def _stored_version(
        self, key: str, content: bytes | Path, mode: Mode, notes: dict[str, str]
    ) -> str:
        # Never in parts: their tag would not show the content, and many stores know no condition.
        done = obstore.put(
            self._store, key, content, attributes=notes, mode=cast("Any", mode), use_multipart=False
        )
        if done["e_tag"]:
            return done["e_tag"]
        found = self.head(key)
        return found.version if found else ""

    def label(self, key: str) -> str | None:
        """See :meth:`Store.label`."""
        with self._errors(self.name(key)):
            try:
                found = obstore.get(self._store, key, options={"head": True})
            except FileNotFoundError:
                return None
            return found.attributes.get(_NOTE)

    def delete(self, keys: list[str]) -> None:
        """See :meth:`Store.delete`."""
        with self._errors(self.url), contextlib.suppress(FileNotFoundError):
            for start in range(0, len(keys), _PAGE):
                obstore.delete(self._store, keys[start : start + _PAGE])

    @contextlib.contextmanager
    def _errors(self, place: str) -> Generator[None]:
        try:
            yield
        except FileNotFoundError as problem:
            if "NoSuchBucket" in str(problem):
                raise self._explained(place, problem) from problem
            raise
        except (BaseError, ValueError) as problem:
            raise self._explained(place, problem) from problem

    def _explained(self, place: str, problem: Exception) -> UsageError | OutputError:
        """What went wrong, in one line, and what to look at."""
        text = str(problem)
        credentials = _CREDENTIALS.get(self._scheme, _AZURE_CREDENTIALS)
        found = next((one for one in _USUAL if re.search(one[0], text, re.IGNORECASE)), None)
        if found is None:
            return OutputError(f"{place}: {_one_line(text)}")
        _, kind, message = found
        words = {"credentials": credentials, "code": _code(text), "problem": _one_line(text)}
        return kind(f"{place}: {message.format(**words)}")


def _stored(meta: ObjectMeta) -> StoredObject:
    modified = meta["last_modified"]
    seconds = int(modified.timestamp())
    stamp = seconds * 10**9 + modified.microsecond * 1000
    version = meta["e_tag"] or f"{meta['size']}-{stamp}"
    return StoredObject(meta["path"], meta["size"], version, stamp)


def _plain_endpoint() -> bool:
    """Whether the user has set an endpoint without encryption, as test servers have."""
    names = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
    return any(os.environ.get(name, "").startswith("http://") for name in names)


def _profile(scheme: str) -> dict[str, Any]:
    """Credentials from AWS's own files, if boto3 is there to read them and none are set."""
    named = {"AWS_ACCESS_KEY_ID", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_SKIP_SIGNATURE"}
    named |= {"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"}
    if scheme != "s3" or named & os.environ.keys():
        return {}
    with contextlib.suppress(ImportError, ValueError):
        from obstore.auth.boto3 import Boto3CredentialProvider

        return {"credential_provider": Boto3CredentialProvider()}
    return {}


def _code(text: str) -> str:
    found = re.search("<Code>(.*?)</Code>", text) or re.search(r"status code: (\d+ [\w ]+)", text)
    return found[1] if found else "no permission"


def _one_line(text: str) -> str:
    """The first sentence of an error, without what is meant for the library's authors."""
    told = text.partition("\n\nDebug source")[0]
    found = re.search("<Message>(.*?)</Message>", told, re.DOTALL)
    return " ".join((found[1] if found else told).split())[:300]
