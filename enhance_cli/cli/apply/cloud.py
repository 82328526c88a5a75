"""``enhance apply`` over photos in object stores, on a cluster, or over a part of a folder."""

from __future__ import annotations

import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from enhance_cli.cli.apply.destination import STREAM
from enhance_cli.cli.apply.progress import (
    ApplyProgress,
    Verbosity,
    say_settings,
    signals_stop,
)
from enhance_cli.cli.apply.report import (
    MOST_NAMED,
    PLANNED,
    plan_counts,
    run_counts,
    summary_lines,
    unread_folders,
)
from enhance_cli.cli.console import say, say_json, say_json_line, say_result, say_warning
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import EnhanceError, UsageError
from enhance_cli.freed_memory import return_freed_memory

if TYPE_CHECKING:
    from enhance_cli.cloud.cluster.engine import ClusterEngine
    from enhance_cli.cloud.run import CloudRun
    from enhance_cli.cloud.shard import ShardOutcome
    from enhance_cli.cloud.worker import ShardWorker


def concerns_stores(config: ApplyConfig, shard: str | None, cluster: str | None) -> bool:
    """Whether a run is one over stores, on a cluster, or over a part of a folder."""
    from enhance_cli.cloud.places import is_url

    shared = shard is not None or cluster is not None
    return shared or any(is_url(place) for place in (*config.inputs, config.out))


def apply_to_stores(
    config: ApplyConfig,
    shard: str | None,
    cluster: str | None,
    dry_run: bool,
    as_json: bool,
    json_lines: bool,
    verbosity: Verbosity,
    begun: Callable[[], None],
) -> tuple[Counter[str], bool]:
    """Retouch the photos of stores, and print what the options ask for.

    Args:
        config: The options.
        shard: ``K/N``, or None for all photos.
        cluster: Address of the Ray cluster that does the work; None for this machine.
        dry_run: Only print what would be done.
        as_json: Print one JSON document.
        json_lines: Print a line of JSON for each photo.
        verbosity: How much is printed.
        begun: Called before a photo that was retouched is shown.

    Returns:
        The number of photos done, failed (with folders that cannot be read) and skipped, and
        whether Ctrl-C ended the run early.

    Raises:
        EnhanceError: The run cannot start or go on.
    """
    from enhance_cli.cloud.places import url_of
    from enhance_cli.cloud.run import begin_run, prepare_run
    from enhance_cli.cloud.worker import ShardWorker

    if config.out is None:
        raise UsageError(
            "--out is missing: with stores and --shard, name the place for the results"
        )
    if Path(STREAM) in (*config.inputs, config.out):
        raise UsageError(
            "-, standard input and output, does not go with stores, --shard and --cluster; name "
            "files and folders"
        )
    if shard is not None and cluster is not None:
        raise UsageError("--shard and --cluster: give one of the two")
    inputs = [url_of(place) or str(place) for place in config.inputs]
    out = url_of(config.out) or str(config.out)
    part = _part(shard) if shard is not None else (1, 1)
    return_freed_memory()
    if dry_run:
        run = prepare_run(config, inputs, out, part)
        with closing(ShardWorker(run)) as worker:
            worker.look_read = _look_read(verbosity)
            _show_plan(run, worker, as_json, json_lines, quiet=verbosity is Verbosity.QUIET)
        return Counter(), False
    with _connected(cluster):
        run = begin_run(prepare_run(config, inputs, out, part, _command()))
        outcomes = _Outcomes(run, config, as_json, json_lines)
        with _workers(run, cluster, verbosity) as workers:
            problem = None
            try:
                interrupted = _work(run, workers, verbosity, begun, outcomes.add)
            except EnhanceError as stopped:
                interrupted, problem = workers.work.was_stopped, stopped
    outcomes.show(interrupted, problem, quiet=verbosity is Verbosity.QUIET)
    if problem:
        raise problem
    outcomes.counts["failed"] += unread_folders(run.report.warnings)
    return outcomes.counts, interrupted


class _Workers(NamedTuple):
    """Who does the photos of a run.

    Attributes:
        work: Can be stopped.
        outcomes: Does the photos as it is iterated.
        status: How many there are and how they fare, in a few words; None for this machine.
    """

    work: ShardWorker | ClusterEngine
    outcomes: Iterator[ShardOutcome]
    status: Callable[[], str] | None = None


def _connected(cluster: str | None) -> AbstractContextManager[None]:
    if cluster is None:
        return nullcontext()
    from enhance_cli.cloud.cluster.connection import connected

    return connected(cluster)


@contextmanager
def _workers(run: CloudRun, cluster: str | None, verbosity: Verbosity) -> Generator[_Workers]:
    if cluster is None:
        from enhance_cli.cloud.machine import work_through
        from enhance_cli.cloud.worker import ShardWorker

        with closing(ShardWorker(run)) as worker:
            worker.look_read = _look_read(verbosity)
            yield _Workers(worker, work_through(run, worker))
        return
    from enhance_cli.cloud.cluster.cluster_run import cluster_engine, work_through_cluster

    engine = cluster_engine(run, say_warning, _look_read(verbosity))
    with closing(work_through_cluster(run, engine)) as outcomes:
        yield _Workers(engine, outcomes, lambda: _status(engine))


def _look_read(verbosity: Verbosity) -> Callable[[str], None]:
    """What is called with the name of each ``enhance.toml`` that counts."""
    return say_settings if verbosity is not Verbosity.QUIET else lambda _name: None


def _status(engine: ClusterEngine) -> str:
    now = engine.progress
    nodes = "1 node" if now.nodes == 1 else f"{now.nodes} nodes"
    return f"{now.workers} workers on {nodes}, {now.failed} failed"


def _work(
    run: CloudRun,
    workers: _Workers,
    verbosity: Verbosity,
    begun: Callable[[], None],
    report: Callable[[ShardOutcome], None],
) -> bool:
    """Do all photos and show the progress; whether Ctrl-C ended that early."""
    work, outcomes, status = workers
    try:
        with signals_stop(work), ApplyProgress(None, verbosity, status) as progress:
            for outcome in outcomes:
                progress.grow(run.report.photos, is_all=run.report.is_listed)
                if outcome.status == "done":
                    begun()
                report(outcome)
                progress.update(outcome)
    except KeyboardInterrupt:
        return True
    _say_what_was_left_out(run, quiet=verbosity is Verbosity.QUIET)
    return work.was_stopped


def _say_what_was_left_out(run: CloudRun, quiet: bool) -> None:
    if not quiet and run.report.passed_over:
        say(run.report.passed_over)
    for warning in run.report.warnings:
        say_warning(warning)


def _part(shard: str) -> tuple[int, int]:
    """``K/N`` as two numbers.

    Raises:
        UsageError: It is something else.
    """
    found = re.fullmatch(r"(\d{1,7})/(\d{1,7})", shard.strip())
    part = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= part[0] <= part[1]:
        raise UsageError(
            f"--shard {shard}: must be K/N with K from 1 to N, like 3/200; add 1 to an index that "
            "counts from 0"
        )
    return part


def _command() -> str:
    """The command line without ``--shard``, to be shown by ``enhance status``."""
    words: list[str] = []
    skipped = False
    for word in sys.argv[1:]:
        if skipped or word.startswith("--shard"):
            skipped = word == "--shard"
            continue
        words.append(word)
    return shlex.join(["enhance", *words])


def _show_plan(
    run: CloudRun, worker: ShardWorker, as_json: bool, json_lines: bool, quiet: bool
) -> None:
    """Print what a run would do."""
    from enhance_cli.batch.conflicts import SKIPPED

    counts: Counter[bool] = Counter()
    photos: list[dict[str, Any]] = []
    for name, output, reason in _decisions(run, worker):
        skipped = reason in {str(one) for one in SKIPPED}
        counts[skipped] += 1
        if as_json:
            photos.append(_planned(name, output, reason, skipped))
        elif json_lines:
            say_json_line({"event": "photo", **_planned(name, output, reason, skipped)})
        else:
            say_result(f"{'skip' if skipped else 'write'} {output} from {name} ({reason})")
    _say_what_was_left_out(run, quiet)
    count = plan_counts(counts[False], counts[True], warnings=run.report.warnings)
    if as_json:
        order = _order(run, lambda photo: photo["input"])
        say_json({**count, "photos": sorted(photos, key=order)})
    elif json_lines:
        say_json_line({"event": "end", **count})
    elif not quiet:
        say(f"{counts[False]} to write, {counts[True]} to skip; nothing was done")


def _planned(name: str, output: str, reason: str, skipped: bool) -> dict[str, object]:
    """A photo of a dry run in JSON: what is said of it after a run, as far as it is known."""
    from enhance_cli.cloud.shard import ShardOutcome

    outcome = ShardOutcome(0, name, output, "skipped" if skipped else PLANNED, reason)
    return {**_described(outcome), "skipped": skipped}


def _decisions(run: CloudRun, worker: ShardWorker) -> Iterator[tuple[str, str, str]]:
    from enhance_cli.cloud.run import planned_shards

    for shard in planned_shards(run):
        for decision in worker.decide(shard):
            yield (*worker.names(decision), str(decision.verdict.reason))


class _Outcomes:
    """What is printed of the outcomes; all are kept only for one JSON document."""

    def __init__(self, run: CloudRun, config: ApplyConfig, as_json: bool, json_lines: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._run, self._config = run, config
        self._as_json, self._json_lines = as_json, json_lines
        self._photos: list[dict[str, object]] = []
        self._in_the_way: dict[str, list[str]] = {}
        self._number_in_the_way: Counter[str] = Counter()

    def add(self, outcome: ShardOutcome) -> None:
        self.counts[outcome.status] += 1
        if outcome.status == "skipped" and outcome.output:
            self._number_in_the_way[outcome.reason] += 1
            named = self._in_the_way.setdefault(outcome.reason, [])
            if len(named) < MOST_NAMED:
                named.append(outcome.output)
        if self._as_json:
            self._photos.append(_described(outcome))
        elif self._json_lines:
            say_json_line({"event": "photo", **_described(outcome)})

    def show(self, interrupted: bool, problem: EnhanceError | None, quiet: bool) -> None:
        counts = {status: self.counts[status] for status in ("done", "failed", "skipped")}
        count = run_counts(counts, interrupted, self._run.report.warnings, problem)
        if self._as_json:
            order = _order(self._run, lambda photo: str(photo["input"]))
            say_json({**count, "photos": sorted(self._photos, key=order)})
        elif self._json_lines:
            say_json_line({"event": "end", **count})
        elif not (quiet or (problem and not self.counts)):
            number, places = self._number_in_the_way, self._in_the_way
            say_result(*summary_lines(counts, self._config, f"in {self._run.out}", number, places))


def _described(outcome: ShardOutcome) -> dict[str, object]:
    """A photo in JSON."""
    return {
        "input": outcome.input,
        "output": outcome.output,
        "status": outcome.status,
        "reason": outcome.reason,
        "error": outcome.error,
        "warnings": list(outcome.warnings),
        "seconds": round(outcome.seconds, 3),
    }


def _order(
    run: CloudRun, name: Callable[[dict[str, Any]], str]
) -> Callable[[dict[str, Any]], tuple[int, Sequence[tuple[int, str]]]]:
    """The order of a run over folders: input by input, a folder's photos before its subfolders."""

    def key(photo: dict[str, Any]) -> tuple[int, Sequence[tuple[int, str]]]:
        url = name(photo)
        number = next(
            (n for n, one in enumerate(run.inputs) if url == one or url.startswith(f"{one}/")), 0
        )
        *folders, last = url.split("/")
        return number, [*((1, folder) for folder in folders), (0, last)]

    return key
