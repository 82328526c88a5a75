"""What ``enhance apply`` says of a run: beforehand, as JSON, and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from enhance_cli.cli.apply.progress import say_beforehand
from enhance_cli.cli.console import say, say_json, say_result, say_warning
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.model import LONG_EDGE

if TYPE_CHECKING:
    from enhance_cli.batch.conflicts import Reason
    from enhance_cli.batch.outcome import PhotoOutcome

_MOST_NAMED = 5
"""Most files that the summary names."""


def show_plan(config: ApplyConfig, as_json: bool) -> None:
    """Print what a run would do."""
    from enhance_cli.batch.runner import BatchRunner

    runner = BatchRunner(config)
    say_beforehand(runner)
    for warning in runner.plan.warnings:
        say_warning(warning)
    decisions = runner.decisions()
    if as_json:
        photos = [
            {
                "input": str(decision.job.input),
                "output": str(decision.job.output),
                "skipped": decision.skipped,
                "reason": str(decision.reason),
                **_with_series(config, runner.series_of(decision.job)),
            }
            for decision in decisions
        ]
        say_json({"photos": photos})
        return
    actions = ("skip" if decision.skipped else "write" for decision in decisions)
    say_result(
        *(
            f"{action} {decision.job.output} from {decision.job.input} ({decision.reason})"
            + _in_series(runner.series_of(decision.job))
            for action, decision in zip(actions, decisions, strict=True)
        )
    )
    skipped = sum(decision.skipped for decision in decisions)
    say(f"{len(decisions) - skipped} to write, {skipped} to skip; nothing was done")


def _in_series(number: int | None) -> str:
    return f", series {number}" if number else ""


def _with_series(config: ApplyConfig, number: int | None) -> dict[str, int | None]:
    """The number of a photo's series for a JSON document, if photos may share a look."""
    may_share = config.sync_from is not None or config.series != "off"
    return {"series": number} if may_share else {}


def summary(outcomes: list[PhotoOutcome], config: ApplyConfig) -> list[str]:
    """The lines at the end of a run."""
    from enhance_cli.batch.conflicts import Reason

    count = counts(outcomes)
    lines = [
        f"{count['done']} done, {count['failed']} failed, {count['skipped']} skipped; "
        f"{_places(config)}"
    ]
    foreign = sum(outcome.reason is Reason.FOREIGN_FILE for outcome in outcomes)
    if foreign:
        lines.append(
            f"{foreign} were skipped because a file that enhance did not write (or that was "
            "edited) is in the way; use --on-conflict overwrite or rename: "
            f"{_named(outcomes, Reason.FOREIGN_FILE)}"
        )
    others = sum(outcome.reason is Reason.OTHER_PHOTO for outcome in outcomes)
    if others:
        lines.append(
            f"{others} were skipped because the result of another photo of the same name is in the "
            "way; choose another --out, or use --on-conflict overwrite or rename: "
            f"{_named(outcomes, Reason.OTHER_PHOTO)}"
        )
    if count["failed"]:
        lines.append("Failed photos are listed above, each with the reason.")
    places = {"Gallery": config.gallery, "Comparisons": config.compare, "LUTs": config.lut}
    shown = {name: place for name, place in places.items() if place and config.pictures}
    lines += [f"{name}: {place}" for name, place in shown.items()]
    if config.long_edge and config.pictures:
        default = " (the default)" if config.long_edge == LONG_EDGE else ""
        lines.append(
            f"Results measure {config.long_edge} px on the longer edge{default}; smaller photos "
            "keep their size. Use --full-size to keep the size of all."
        )
    return lines


def _places(config: ApplyConfig) -> str:
    """Where the results are."""
    if config.out is None:
        return "beside the photos"
    return f"in {config.out / (config.name or '')}"


def document(outcomes: list[PhotoOutcome], config: ApplyConfig) -> dict[str, object]:
    """A run as one JSON document."""
    photos = [described(outcome, config) for outcome in outcomes]
    return {**counts(outcomes), "photos": photos}


def described(outcome: PhotoOutcome, config: ApplyConfig) -> dict[str, object]:
    """A photo in JSON."""
    return {
        "input": str(outcome.input),
        "output": str(outcome.output) if outcome.output else None,
        "status": str(outcome.status),
        "reason": str(outcome.reason),
        "error": outcome.error,
        "warnings": list(outcome.warnings),
        "seconds": round(outcome.seconds, 3),
        **_with_series(config, outcome.series),
    }


def _named(outcomes: list[PhotoOutcome], reason: Reason) -> str:
    """The first files in the way, and how many more there are."""
    from enhance_cli.batch.conflicts import listed

    paths = [outcome.output for outcome in outcomes if outcome.output and outcome.reason is reason]
    return listed(paths, _MOST_NAMED)


def counts(outcomes: list[PhotoOutcome]) -> dict[str, int]:
    """The number of photos done, failed and skipped."""
    statuses = [str(outcome.status) for outcome in outcomes]
    return {status: statuses.count(status) for status in ("done", "failed", "skipped")}
