"""Works on shards: fetches each photo, retouches it as a laptop would, and stores the result."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from enhance_cli.batch.conflicts import IN_THE_WAY, SKIPPED, Reason, already_there
from enhance_cli.batch.manifest import Manifest
from enhance_cli.batch.output_paths import Job
from enhance_cli.batch.ownership import Ownership
from enhance_cli.batch.series.looks import SharedLooks
from enhance_cli.batch.worker_pool import (
    WorkerPool,
    resolve,
    threads_for,
    torch_threads,
)
from enhance_cli.cloud.decisions import Judge, Verdict, label
from enhance_cli.cloud.local_folder import LocalFolder
from enhance_cli.cloud.look_folders import PhotoFiles
from enhance_cli.cloud.places import open_store
from enhance_cli.cloud.planning.inputs import open_inputs
from enhance_cli.cloud.planning.originals import places_of_photos
from enhance_cli.cloud.records import DoneLog, Record, Records, read_logs
from enhance_cli.cloud.run import CloudRun
from enhance_cli.cloud.scratch import ScratchFolder
from enhance_cli.cloud.shard import CloudPhoto, Shard, ShardOutcome
from enhance_cli.config.look_files import Looks
from enhance_cli.errors import (
    EnhanceError,
    OutputError,
    PhotoError,
    PlaceTakenError,
    UsageError,
)
from enhance_cli.garbage import garbage_left_alone
from enhance_cli.imaging.sidecars.find import sidecar_digest
from enhance_cli.inference.device import choose_device

if TYPE_CHECKING:
    from enhance_cli.batch.outcome import BatchContext, PhotoOutcome
    from enhance_cli.inference.enhancer import Enhancer

_TRIES = 3
"""How often a place is looked at that changes hands while a result is being stored."""


class Decision(NamedTuple):
    """What to do with a photo of a shard.

    Attributes:
        number: Its place in the shard.
        photo: The photo.
        settings: Digest of all that affects its result.
        verdict: What to do.
    """

    number: int
    photo: CloudPhoto
    settings: str
    verdict: Verdict


class ShardWorker:
    """One worker a process; it loads the networks once, and can be given shard after shard.

    Args:
        run: The run.
        begun: Called with a photo's place in its shard before the photo is fetched, from several
            threads; whoever watches this process from outside learns from it which photos were in
            progress when the process died.

    Attributes:
        look_read: Called with the name of each ``enhance.toml`` that says something.

    Raises:
        EnhanceError: An input or the output cannot be used.
    """

    def __init__(self, run: CloudRun, begun: Callable[[int], None] = lambda _photo: None) -> None:
        self.run = run
        self._begun = begun
        self.look_read: Callable[[str], None] = lambda _name: None
        self._out = open_store(run.out)
        config = run.config
        looks = Looks(config.look, config.given, config.look_files)
        inputs = open_inputs(run.inputs)
        self._scratch = ScratchFolder()
        self._folder = self._scratch.path
        self._originals = places_of_photos(inputs, self._out)
        self._files = PhotoFiles(inputs, self._folder / "in", looks)
        cores = config.jobs or threads_for("cpu")
        # As many again fetch and store, while others compute.
        self._pool = WorkerPool(2 * cores)
        self._computing = threading.Semaphore(cores)
        self._enhancer: Future[Enhancer] = Future()
        self._settings = contextlib.ExitStack()
        self._loading: threading.Thread | None = None
        self._in_flight: set[int] = set()
        self._changing = threading.Lock()

    def warm_up(self) -> None:
        """Load the networks, and wait until they are ready.

        Raises:
            EnhanceError: The device or the weights cannot be used.
        """
        self._start_networks()
        self._enhancer.result()

    def decide(self, shard: Shard, photos: Sequence[int] | None = None) -> list[Decision]:
        """What to do with the photos of a shard; nothing is stored.

        Raises:
            UsageError: Objects are in the way, and ``on_conflict`` is ``"error"``.
            EnhanceError: A store cannot be read.
        """
        return self._decide(shard, photos, self._judge(shard))

    def names(self, decision: Decision) -> tuple[str, str]:
        """The URLs or paths of a photo and its result."""
        return self._files.name(decision.photo), self._out.name(decision.verdict.key)

    def work(self, shard: Shard, photos: Sequence[int] | None = None) -> Iterator[ShardOutcome]:
        """Do the photos of a shard, several side by side, and write a done log.

        Args:
            shard: The shard.
            photos: Places of those to do; None does all.

        Yields:
            The outcome of each photo, in their order.

        Raises:
            EnhanceError: Every further photo would fail in the same way.
        """
        judge = self._judge(shard)
        decisions = self._decide(shard, photos, judge)
        if any(decision.verdict.reason not in SKIPPED for decision in decisions):
            self._start_networks()
        key = log_key(self.run, shard, photos)
        log = DoneLog(self._out, key, shard.name, len(decisions))
        tasks = [partial(self._do, decision, judge, log) for decision in decisions]
        ended = 0
        try:
            for outcome in self._pool.run(tasks):
                ended += 1
                yield outcome
        finally:
            log.end(complete=ended == len(decisions))
        if photos is None and ended == len(decisions):
            self._forget_earlier(shard, judge.records)

    def _forget_earlier(self, shard: Shard, known: Records) -> None:
        """Remove logs of earlier plans that say nothing but what a complete shard's own log says.

        So a run that is killed again and again does not leave more of them each time.
        """
        places = {photo.result for photo in shard.photos}
        logs = read_logs(self._out, filter(self.run.concerns_earlier_plan, shard.logs))
        self._out.delete([
            key
            for key, log in logs
            if all(
                {one.wanted, one.output} <= places and one in known.any_on(one.output or "")
                for one in log.records
                if one.describes_result
            )
        ])  # fmt: skip

    @property
    def in_flight(self) -> frozenset[int]:
        """Places of the photos of the present shard that have begun and not ended."""
        with self._changing:
            return frozenset(self._in_flight)

    def stop(self) -> None:
        """Begin no further photo; those in progress are finished."""
        self._pool.stop()

    @property
    def was_stopped(self) -> bool:
        """Whether :meth:`stop` has been called."""
        return self._pool.was_stopped

    def close(self) -> None:
        """Remove the temporary files."""
        if self._loading is not None:
            self._loading.join()
        self._settings.close()
        self._scratch.remove()

    def _start_networks(self) -> None:
        with self._changing:
            if self._loading is None:
                load = partial(resolve, self._enhancer, self._load)
                self._loading = threading.Thread(target=load, name="networks")
                self._loading.start()

    def _load(self) -> Enhancer:
        with garbage_left_alone():
            from enhance_cli.inference.enhancer import Enhancer  # late, as in batch.runner

            config = self.run.config
            device = choose_device(config.device)
            cores = config.jobs or threads_for("cpu")
            wanted = config.jobs or threads_for(device)
            for _ in range(wanted - cores):
                self._computing.release()
            self._pool.grow(2 * wanted)
            assert config.weights is not None
            enhancer = Enhancer.load(config.weights, device)
            self._settings.enter_context(torch_threads(wanted))
            return enhancer

    def _judge(self, shard: Shard) -> Judge:
        out = self._out
        own = (one.key for page in out.pages(below=self._logs_of(shard)) for one in page)
        logs = [*shard.logs, *(own if shard.name else ())]
        records = Records(document for _, document in read_logs(out, logs))
        present = out.heads([photo.result for photo in shard.photos])
        on_conflict = self.run.config.on_conflict
        return Judge(out, records, present, on_conflict, self._originals, self._manifest)

    @cached_property
    def _manifest(self) -> Manifest | None:
        """What runs over folders have written into the output, if it is on a disk."""
        if not isinstance(self._out, LocalFolder):
            return None
        manifest = Manifest(self._out.folder)
        manifest.read_own()  # the done logs are read shard by shard
        return manifest

    def _logs_of(self, shard: Shard) -> str:
        return self.run.done_folder(shard.name)

    def _decide(self, shard: Shard, photos: Sequence[int] | None, judge: Judge) -> list[Decision]:
        numbers = range(len(shard.photos)) if photos is None else photos
        with self._in_our_words():
            for name in self._files.read_looks(shard.photos[number] for number in numbers):
                self.look_read(name)
            self._files.fetch_sidecars(shard.photos[number] for number in numbers)
            decisions = [self._decision(number, shard.photos[number], judge) for number in numbers]
        found = [one.verdict for one in decisions if one.verdict.reason in IN_THE_WAY]
        if found and self.run.config.on_conflict == "error":
            raise already_there([self._out.name(verdict.key) for verdict in found])
        return decisions

    def _decision(self, number: int, photo: CloudPhoto, judge: Judge) -> Decision:
        path = self._files.path(photo)
        settings = self.run.settings + self._files.looks.digest(path) + sidecar_digest(path)
        return Decision(
            number, photo, settings, judge.decide(photo, self._files.source(photo), settings)
        )

    @contextlib.contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except UsageError as problem:
            raise UsageError(self._files.in_words(str(problem))) from problem

    def _do(self, decision: Decision, judge: Judge, log: DoneLog) -> ShardOutcome:
        """Do one photo; called from several threads."""
        number = decision.number
        if decision.verdict.reason in SKIPPED:
            self._files.remove(decision.photo)
            return self._skip(decision, judge, log)
        self._pool.check_cancelled()
        self._begun(number)
        with self._changing:
            self._in_flight.add(number)
        try:
            return self._retouch(decision, judge, log)
        finally:
            with self._changing:
                self._in_flight.discard(number)

    def _skip(self, decision: Decision, judge: Judge, log: DoneLog) -> ShardOutcome:
        key, reason, _, record = decision.verdict
        name, photo = self._files.name(decision.photo), decision.photo
        folder = self._files.source(photo).folder
        if reason is Reason.UP_TO_DATE and record is not None:
            log.add(replace(
                record, photo=decision.number, input=name, source=photo.version, folder=folder,
                wanted=photo.result, status="skipped", reason=str(reason), error=None, seconds=0.0,
                warnings=(), ended=time.time(), carried=False,
            ))  # fmt: skip
        else:
            self._carry(decision, judge, log)
            log.add(self._record(decision, "skipped", reason, key))
        return ShardOutcome(decision.number, name, self._out.name(key), "skipped", str(reason))

    def _retouch(self, decision: Decision, judge: Judge, log: DoneLog) -> ShardOutcome:
        started, photo = time.perf_counter(), decision.photo
        name, result = self._files.name(photo), self._folder / "out" / photo.result
        try:
            try:
                source = self._files.fetch(photo).version
                content = self._files.source(photo).content
            except FileNotFoundError:
                return self._fail(decision, judge, log, f"{name}: is not there any more", started)
            except OSError as problem:
                if problem.errno == errno.ENOSPC:
                    raise OutputError(
                        f"{self._folder}: {problem.strerror}; let TMPDIR name a folder with room"
                    ) from problem
                error = f"{name}: cannot be fetched: {problem.strerror or problem}"
                return self._fail(decision, judge, log, error, started)
            except EnhanceError as problem:
                self._files.check(photo)
                return self._fail(decision, judge, log, str(problem), started)
            outcome = self._processed(decision, result)
            self._files.remove(photo)
            if outcome.error is not None:
                error = self._named(outcome.error, decision, result)
                return self._fail(decision, judge, log, error, started)
            lost = tuple(self._named(one, decision, result) for one in outcome.warnings)
            record = replace(
                self._record(decision, "done", decision.verdict.reason, decision.verdict.key),
                source=source, content=content, warnings=lost, size=result.stat().st_size,
            )  # fmt: skip
            return self._store(decision, judge, log, record, result, started)
        finally:
            self._files.remove(photo)
            with contextlib.suppress(OSError):
                result.unlink(missing_ok=True)

    def _processed(self, decision: Decision, result: Path) -> PhotoOutcome:
        from enhance_cli.batch.process_photo import process_photo

        job = Job(self._files.path(decision.photo), result)
        with self._computing:
            self._pool.check_cancelled()
            batch = replace(self._batch, ownership=Ownership(Manifest(self._folder / "out")))
            return process_photo(job, decision.verdict.reason, batch).outcome

    @cached_property
    def _batch(self) -> BatchContext:
        from enhance_cli.batch.outcome import BatchContext
        from enhance_cli.batch.side_outputs.side_outputs import SideOutputs

        folder = self._folder / "out"
        folder.mkdir(exist_ok=True)
        config = replace(self.run.config, out=folder)
        ownership = Ownership(Manifest(folder))
        return BatchContext(
            config=config,
            settings_of=lambda _photo: self.run.settings,
            looks=self._files.looks,
            enhancer=self._enhancer,
            pool=self._pool,
            side_outputs=SideOutputs(config, ownership),
            ownership=ownership,
            shared=SharedLooks(),
        )

    def _store(
        self,
        decision: Decision,
        judge: Judge,
        log: DoneLog,
        record: Record,
        result: Path,
        started: float,
    ) -> ShardOutcome:
        source, settings = self._files.source(decision.photo), decision.settings
        text = label(source, record.source, settings)

        def finished(version: str) -> Record:
            seconds = round(time.perf_counter() - started, 3)
            return replace(record, version=version, seconds=seconds, ended=time.time())

        verdict = decision.verdict
        for tries_left in reversed(range(_TRIES)):
            record = replace(record, output=verdict.key, reason=str(verdict.reason))
            try:
                version = self._out.put(
                    verdict.key, result, verdict.present, judge.may_overwrite(verdict.key), text,
                    lambda version: log.add(finished(version), at_once=True),
                )  # fmt: skip
            except PhotoError as problem:
                return self._fail(decision, judge, log, str(problem), started)
            except PlaceTakenError as problem:
                judge.look_again(verdict.key)
                try:
                    verdict = judge.decide(decision.photo, source, settings)
                except UsageError as refusal:
                    return self._fail(decision, judge, log, str(refusal), started)
                decision = decision._replace(verdict=verdict)
                if verdict.reason in SKIPPED and self.run.config.on_conflict == "skip":
                    return self._skip(decision, judge, log)
                if verdict.reason in SKIPPED or not tries_left:
                    return self._fail(decision, judge, log, str(problem), started)
                continue
            done = finished(version)
            if not self._out.is_local:
                log.add(done)
            return ShardOutcome(
                decision.number, source.name, self._out.name(verdict.key), "done",
                str(verdict.reason), None, done.seconds, done.warnings,
            )  # fmt: skip
        raise AssertionError

    def _fail(
        self, decision: Decision, judge: Judge, log: DoneLog, error: str, started: float
    ) -> ShardOutcome:
        seconds = round(time.perf_counter() - started, 3)
        record = self._record(decision, "failed", decision.verdict.reason, None)
        self._carry(decision, judge, log)
        log.add(replace(record, error=error, seconds=seconds))
        name, reason = self._files.name(decision.photo), str(decision.verdict.reason)
        return ShardOutcome(decision.number, name, None, "failed", reason, error, seconds)

    def _record(
        self, decision: Decision, status: str, reason: Reason, output: str | None
    ) -> Record:
        found = self._files.source(decision.photo)
        return Record(
            photo=decision.number,
            input=found.name,
            source=decision.photo.version,
            wanted=decision.photo.result,
            output=output,
            folder=found.folder,
            settings=decision.settings,
            status=status,
            reason=str(reason),
            ended=time.time(),
        )

    def _carry(self, decision: Decision, judge: Judge, log: DoneLog) -> None:
        """Keep what is known of an earlier result, which this run does not replace."""
        places = dict.fromkeys((decision.photo.result, decision.verdict.key))
        for record in (one for key in places for one in judge.records.any_on(key)):
            log.add(replace(record, photo=decision.number, status="", error=None, carried=True))

    def _named(self, text: str, decision: Decision, result: Path) -> str:
        photo = decision.photo
        text = text.replace(str(result), self._out.name(decision.verdict.key))
        text = text.replace(str(self._files.path(photo)), self._files.name(photo))
        return self._files.in_words(text)


def log_key(run: CloudRun, shard: Shard, photos: Sequence[int] | None) -> str:
    """Key of the done log for a shard, or for some of its photos."""
    name = "all"
    if photos is not None:
        name = hashlib.sha256(json.dumps(sorted(photos)).encode()).hexdigest()[:16]
    return f"{run.done_folder(shard.name)}/{name}.json"


def report_failed(run: CloudRun, shard: Shard, photo: int, reason: str) -> ShardOutcome:
    """Note in a done log that a photo failed without having been processed.

    Args:
        run: The run.
        shard: The shard.
        photo: The photo's place in it.
        reason: Why, in words; the message begins with the photo's URL.
    """
    found = shard.photos[photo]
    name = open_inputs(run.inputs)[found.source].store.name(found.key)
    error = f"{name}: {reason}"
    out = open_store(run.out)
    log = DoneLog(out, log_key(run, shard, [photo]), shard.name, 1)
    earlier = Records(document for _, document in read_logs(out, shard.logs))
    for record in earlier.any_on(found.result):
        log.add(replace(record, photo=photo, status="", error=None, carried=True))
    log.add(Record(
        photo, name, found.version, found.result, None, settings=run.settings, status="failed",
        reason=str(Reason.NEW), error=error, ended=time.time(),
    ))  # fmt: skip
    log.end(complete=True)
    return ShardOutcome(photo, name, None, "failed", str(Reason.NEW), error)
