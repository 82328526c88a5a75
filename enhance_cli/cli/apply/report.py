"""What ``enhance apply`` says of a run: beforehand, as JSON, and at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from enhance_cli.cli.apply.progress import BatchEnd, say_beforehand
from enhance_cli.cli.console import say, say_error, say_json, say_json_line, say_result, say_warning
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.model import LONG_EDGE

if TYPE_CHECKING:
    from pathlib import Path

    from enhance_cli.batch.conflicts import Decision
    from enhance_cli.batch.outcome import PhotoOutcome
    from enhance_cli.batch.runner import BatchRunner
    from enhance_cli.errors import EnhanceError

PLANNED = "planned"
"""Status of a photo that a run would retouch."""

MOST_NAMED = 5
"""Most files that the summary names."""


def show_plan(
    config: ApplyConfig,
    as_json: bool = False,
    json_lines: bool = False,
    quiet: bool = False,
    idle: Callable[[Iterable[Path]], Iterable[str]] = lambda _results: (),
) -> int:
    """Print what a run would do.

    Args:
        config: The run's settings.
        as_json: Print one JSON document.
        json_lines: Print a line of JSON for each photo, and one for the run.
        quiet: Print only the photos, errors and warnings.
        idle: Gives warnings of options that have no effect on any of the results.

    Returns:
        Number of photos that would fail, and of folders that cannot be read.
    """
    from enhance_cli.batch.runner import BatchRunner

    runner = BatchRunner(config)
    if not quiet:
        say_beforehand(runner)
    warned = len(runner.plan.warnings)
    idle_ones = tuple(idle(job.output for job in runner.plan.jobs))
    for warning in (*runner.plan.warnings, *idle_ones):
        say_warning(warning)
    decisions = runner.decisions()
    for warning in runner.plan.warnings[warned:]:
        say_warning(warning)
    problems = [problem for one in decisions if (problem := runner.problem_of(one.job))]
    for problem in problems:
        say_error(problem)
    skipped, failed = sum(decision.skipped for decision in decisions), len(problems)
    to_write = len(decisions) - skipped - failed
    count = plan_counts(to_write, skipped, failed, (*runner.plan.warnings, *idle_ones))
    photos = (_planned(one, config, runner) for one in decisions)
    if as_json:
        say_json({**count, "photos": list(photos)})
    elif json_lines:
        for photo in photos:
            say_json_line({"event": "photo", **photo})
        say_json_line({"event": "end", **count})
    else:
        say_result(*(_plan_line(one, runner) for one in decisions))
        if not quiet:
            failing = f", {failed} would fail" if failed else ""
            say(f"{to_write} to write, {skipped} to skip{failing}; nothing was done")
    return failed + unread_folders(runner.plan.warnings)


def unread_folders(warnings: Iterable[str]) -> int:
    """How many of a run's warnings tell of a folder whose photos could not be found."""
    return sum(": folder cannot be read (" in line for line in warnings)


def _plan_line(decision: Decision, runner: BatchRunner) -> str:
    job, reason = decision
    fails = runner.problem_of(job) is not None
    action = "skip" if decision.skipped else "fail" if fails else "write"
    series = _in_series(runner.series_of(job))
    return f"{action} {job.output} from {job.input} ({reason}){series}"


def plan_counts(
    to_write: int, skipped: int, failed: int = 0, warnings: Iterable[str] = ()
) -> dict[str, object]:
    """The numbers of a dry run in JSON: those of a run, and how many photos it would retouch."""
    nothing = run_counts({"skipped": skipped, "failed": failed}, False, warnings)
    return {**nothing, "to_write": to_write}


def run_counts(
    count: Mapping[str, int],
    interrupted: bool,
    warnings: Iterable[str] = (),
    problem: EnhanceError | None = None,
) -> dict[str, object]:
    """The numbers of a run in JSON, its warnings, and why it could not go on, or null."""
    numbers = {status: count.get(status, 0) for status in ("done", "failed", "skipped")}
    error = str(problem) if problem else None
    return {**numbers, "interrupted": interrupted, "warnings": list(warnings), "error": error}


def _planned(decision: Decision, config: ApplyConfig, runner: BatchRunner) -> dict[str, object]:
    """A photo of a dry run in JSON: what is said of it after a run, as far as it is known."""
    from enhance_cli.batch.outcome import PhotoOutcome, Status

    job, problem = decision.job, runner.problem_of(decision.job)
    output, status = (job.output, Status.SKIPPED) if problem is None else (None, Status.FAILED)
    series = runner.series_of(job)
    outcome = PhotoOutcome(job.input, output, status, decision.reason, problem, series=series)
    photo = {**described(outcome, config), "skipped": decision.skipped}
    is_planned = problem is None and not decision.skipped
    return {**photo, "status": PLANNED} if is_planned else photo


def _in_series(number: int | None) -> str:
    return f", series {number}" if number else ""


def _with_series(config: ApplyConfig, number: int | None) -> dict[str, int | None]:
    """The number of a photo's series for a JSON document, if photos may share a look."""
    may_share = config.sync_from is not None or config.series != "off"
    return {"series": number} if may_share else {}


def summary(
    outcomes: list[PhotoOutcome], config: ApplyConfig, gallery: Path | None = None
) -> list[str]:
    """The lines at the end of a run.

    Args:
        outcomes: The photos.
        config: The options.
        gallery: The gallery that was written, or None.
    """
    skipped = [outcome for outcome in outcomes if outcome.output and outcome.status == "skipped"]
    number = Counter(str(outcome.reason) for outcome in skipped)
    places = {
        reason: [str(outcome.output) for outcome in skipped if outcome.reason == reason]
        for reason in number
    }
    lines = summary_lines(
        counts(outcomes), config, _places(outcomes, config), number, places, gallery
    )
    return [*lines, *_series_found(outcomes, config)]


def _series_found(outcomes: list[PhotoOutcome], config: ApplyConfig) -> list[str]:
    """How many series there were, if photos of a series share a look."""
    if config.series == "off":
        return []
    sizes = Counter(outcome.series for outcome in outcomes if outcome.series)
    if not sizes:
        return ["No series were found: each photo has a look of its own."]
    many = "1 series" if len(sizes) == 1 else f"{len(sizes)} series"
    single = len(outcomes) - sizes.total()
    one, several = "photo has a look of its own", f"{single} have looks of their own"
    others = f"; the other {one if single == 1 else several}"
    return [f"{many} with {sizes.total()} photos in all{others if single else ''}."]


def summary_lines(
    count: Mapping[str, int],
    config: ApplyConfig,
    where: str,
    skipped: Mapping[str, int],
    places: Mapping[str, list[str]],
    gallery: Path | None = None,
) -> list[str]:
    """The lines at the end of a run.

    Args:
        count: Number of photos done, failed and skipped.
        config: The options.
        where: Where the results are, in words.
        skipped: Number of photos skipped for each reason.
        places: Outputs of such photos, at least the first few.
        gallery: The gallery that was written, or None.
    """
    from enhance_cli.batch.conflicts import Reason

    told = [f"{count[status]} {status}" for status in ("done", "failed", "skipped")]
    lines = [f"{', '.join(told)}; {where}"]
    foreign = skipped.get(Reason.FOREIGN_FILE, 0)
    if foreign:
        lines.append(
            f"{foreign} {_were(foreign)} skipped because a file that enhance did not write (or "
            "that was edited) is in the way; use --on-conflict overwrite or rename: "
            f"{_named(places[Reason.FOREIGN_FILE], foreign)}"
        )
    others = skipped.get(Reason.OTHER_PHOTO, 0)
    if others:
        lines.append(
            f"{others} {_were(others)} skipped because the result of another photo of the same "
            "name is in the way; choose another --out, or use --on-conflict overwrite or rename: "
            f"{_named(places[Reason.OTHER_PHOTO], others)}"
        )
    if count["failed"]:
        lines.append("Failed photos are listed above, each with the reason.")
    beside = {"Gallery": gallery, "Comparisons": config.compare, "LUTs": config.lut}
    shown = {name: place for name, place in beside.items() if place and config.pictures}
    lines += [f"{name}: {place}" for name, place in shown.items()]
    if config.long_edge and config.pictures and count["done"]:
        default = " (the default)" if config.long_edge == LONG_EDGE else ""
        lines.append(
            f"Results measure {config.long_edge} px on the longer edge{default}; smaller photos "
            "keep their size. Use --full-size to keep the size of all."
        )
    return lines


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _places(outcomes: list[PhotoOutcome], config: ApplyConfig) -> str:
    """Where the results are."""
    from enhance_cli.batch.conflicts import IN_THE_WAY

    if config.out is None:
        return "beside the photos"
    if config.name is None:
        return f"in {config.out}"
    named = (one.output for one in outcomes if one.output and one.reason not in IN_THE_WAY)
    result = next(named, None)
    return "no result" if result is None else f"in {result}"


def document(end: BatchEnd, config: ApplyConfig) -> dict[str, object]:
    """A run as one JSON document."""
    photos = [described(outcome, config) for outcome in end.outcomes]
    return {**numbers_of(end), "photos": photos}


def numbers_of(end: BatchEnd) -> dict[str, object]:
    """The numbers of a run in JSON, its warnings, and why it could not go on, or null."""
    return run_counts(counts(end.outcomes), end.interrupted, end.warnings, end.problem)


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


def _named(places: list[str], number: int) -> str:
    """The first files in the way, and how many more there are."""
    more = f" and {number - MOST_NAMED} more" if number > MOST_NAMED else ""
    return ", ".join(places[:MOST_NAMED]) + more


def counts(outcomes: list[PhotoOutcome]) -> dict[str, int]:
    """The number of photos done, failed and skipped."""
    statuses = [str(outcome.status) for outcome in outcomes]
    return {status: statuses.count(status) for status in ("done", "failed", "skipped")}
