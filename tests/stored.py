"""Trees of photos in folders and in object stores, and runs over them."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from enhance_cli.cli.main import app
from enhance_cli.cloud.places import open_store


def upload(s3, tree: Path, url: str) -> None:
    """Copy a tree of files into a bucket."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    for path in sorted(tree.rglob("*")):
        if path.is_file():
            key = "/".join(part for part in (prefix, path.relative_to(tree).as_posix()) if part)
            s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def results(place: str | Path) -> dict[str, bytes]:
    """The content of all objects or files in a place but those of the run itself."""
    store = open_store(str(place))
    keys = [one.key for page in store.pages() for one in page]
    return {
        key: store.read(key) or b""
        for key in keys
        if ".enhance" not in key.split("/") and not key.startswith(".")
    }


def apply(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["apply", *map(str, arguments)])
