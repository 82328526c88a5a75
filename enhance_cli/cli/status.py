"""``enhance status``: how far runs over object stores are."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enhance_cli.cli.console import counted, error_boundary, say_json, say_result

if TYPE_CHECKING:
    from enhance_cli.cloud.status import PartStatus, RunStatus

_MOST_LISTED = 20
"""Most failures that are listed."""

EXAMPLES = """Example:

enhance status s3://retouched/2026
"""


@error_boundary
def status(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="What was --out.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the runs as one JSON document.")
    ] = False,
) -> None:
    """Show the progress and the failures of runs with object stores, --shard or --cluster."""
    from enhance_cli.cloud.places import url_of
    from enhance_cli.cloud.status import runs_into

    runs = runs_into(url_of(out) or str(out))
    if as_json:
        say_json({"runs": [_as_json(run) for run in runs]})
        return
    for run in runs:
        say_result(*_lines(run))


def _as_json(run: RunStatus) -> dict[str, Any]:
    return {
        "run": run.run,
        "command": run.command,
        "parts": run.of,
        "missing_parts": run.missing if run.of > 1 else [],
        **_totals(run),
        "next": _next(run),
        "failures": [error for part in run.parts for error in part.failures],
    }


def _totals(run: RunStatus) -> dict[str, Any]:
    def total(name: str) -> int:
        return sum(getattr(part, name) for part in run.parts)

    counts = {
        status: sum(part.counts[status] for part in run.parts)
        for status in ("done", "failed", "skipped")
    }
    in_the_way = total("in_the_way")
    return {
        "listed": all(part.is_listed for part in run.parts) and len(run.parts) == run.of,
        "shards": total("shards"),
        "complete_shards": total("complete_shards"),
        "photos": total("photos"),
        **counts,
        "up_to_date": counts["skipped"] - in_the_way,
        "in_the_way": in_the_way,
        "left": total("left"),
        "photos_per_second": round(sum(_rates(run.parts)), 3),
    }


def _rates(parts: list[PartStatus]) -> list[float]:
    return [part.rate for part in parts]


def _lines(run: RunStatus) -> list[str]:
    """What is shown of a run."""
    totals = _totals(run)
    more = "" if totals["listed"] else " so far"
    lines = [
        f"Run {run.run}: {counted(totals['photos'], 'photo')}{more} in "
        f"{counted(totals['shards'], 'shard')}, {totals['complete_shards']} of them complete",
        f"  {totals['done']} done, {totals['failed']} failed, {totals['skipped']} skipped, "
        f"{totals['left']} left; {totals['photos_per_second']:.1f} photos/s",
    ]
    if totals["in_the_way"]:
        lines.append(
            f"  skipped: {totals['up_to_date']} up to date, {totals['in_the_way']} with another "
            "file in the place of the result; use --on-conflict overwrite or rename"
        )
    failures = [error for part in run.parts for error in part.failures]
    lines += [f"  failed: {error}" for error in failures[:_MOST_LISTED]]
    if totals["failed"] > _MOST_LISTED:
        lines.append(f"  and {totals['failed'] - _MOST_LISTED} more; --json lists them")
    following = _next(run)
    but = ", but for what is in the way" if totals["in_the_way"] else ""
    lines.append(f"  to go on: {following}" if following else f"  complete{but}")
    return lines


def _next(run: RunStatus) -> str | None:
    """The command that goes on with a run; None if it is complete."""
    failed = any(part.counts["failed"] for part in run.parts)
    missing = run.missing or [part.part[0] for part in run.parts if part.counts["failed"]]
    if not (missing or failed):
        return None
    command = run.command or shlex.join(["enhance", "apply"])
    if run.of == 1:
        return command
    first = f"{command} --shard {missing[0]}/{run.of}"
    others = ", ".join(str(number) for number in missing[1:6])
    more = ", ..." if len(missing) > 6 else ""
    return f"{first}; likewise parts {others}{more}" if others else first
