"""A run over photos in stores: its plan, shard by shard.

A run is named by the digest of its inputs, options, weights and version: RUN. Every command begins
a new plan of the run, or of its part of it, below ``OUT/.enhance/RUN/``:

- ``plans/PLAN.json``: the command, when it began, and whether all photos have been listed;
- ``shards/PLAN/SHARD.json``: the photos of a shard, and the names of their results;
- ``done/PLAN/SHARD/*.json``: what became of them, see :mod:`enhance_cli.cloud.records`.

Which part of a run a photo belongs to depends on its name alone. So the processes of ``--shard
K/N`` need not know of each other: each lists all inputs, settles all names and keeps its own part.
A photo that comes while they start belongs to one part as well; if that has been listed already,
the next run finds it.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import enhance_cli
from enhance_cli.batch.manifest import settings_digest
from enhance_cli.batch.output_paths import passed_over
from enhance_cli.batch.runner import refuse_missing_cenet
from enhance_cli.cloud.local_folder import LocalFolder
from enhance_cli.cloud.places import open_store, url_of
from enhance_cli.cloud.planning.earlier_results import without_own_results
from enhance_cli.cloud.planning.inputs import Input, open_inputs
from enhance_cli.cloud.planning.listing import Listing
from enhance_cli.cloud.planning.names import NameSettler
from enhance_cli.cloud.planning.originals import PlacesOfPhotos, places_of_photos
from enhance_cli.cloud.records import ROOT, RecordIndex
from enhance_cli.cloud.shard import MAX_BYTES, MAX_PHOTOS, CloudPhoto, Shard
from enhance_cli.cloud.stores import Store, StoredObject
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import UsageError
from enhance_cli.imaging.codecs.encode import refuse_missing_encoder
from enhance_cli.inference.device import refuse_unusable_device
from enhance_cli.inference.weights_file import describe_weights, find_weights

FIRST_SHARD_SECONDS = 2.0
"""Time after which the first shard is worked on although it is not full."""


@dataclass
class PlanReport:
    """What is known of a plan that is being made.

    Attributes:
        photos: Number of photos planned so far.
        shards: Number of shards.
        is_listed: Whether there are no more.
        passed_over: What the inputs hold besides photos, in words; empty if nothing.
        warnings: A line for each part of the inputs that cannot be used.
    """

    photos: int = 0
    shards: int = 0
    is_listed: bool = False
    passed_over: str = ""
    warnings: list[str] = field(default_factory=list)

    def end(self, listing: Listing) -> None:
        """Note that all photos have been listed, and what was said of them."""
        self.passed_over = passed_over(listing.others, listing.results)
        self.warnings = listing.warnings
        self.is_listed = True


@dataclass(frozen=True)
class CloudRun:
    """All that a worker on another machine needs; can be pickled.

    Attributes:
        config: The options. ``weights`` is a path on this machine; a worker elsewhere replaces it
            (``dataclasses.replace``) by the path of a file with the same content.
        inputs: URLs or paths of the inputs.
        out: URL or path of the output.
        run: Digest of inputs, options, weights and version.
        settings: Digest of all that affects every result.
        plan: Name of the plan, see :func:`begin_run`.
        part: Which part of the photos is done here, from 1, and how many parts there are.
        command: The command that goes on with the run, for ``enhance status``.
    """

    config: ApplyConfig
    inputs: tuple[str, ...]
    out: str
    run: str
    settings: str
    plan: str
    part: tuple[int, int] = (1, 1)
    command: str = ""

    @property
    def folder(self) -> str:
        """Key of the run's folder below the output."""
        return f"{ROOT}/{self.run}"

    def done_folder(self, shard: str) -> str:
        """Key of the folder for the done logs of a shard."""
        return f"{self.folder}/done/{self.plan}/{shard}"

    @cached_property
    def report(self) -> PlanReport:
        """What is known of the plan; it grows while :meth:`shards` is iterated."""
        return PlanReport()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "report"}

    def shards(self) -> Iterator[Shard]:
        """Plan shard by shard while the inputs are being listed.

        Yields:
            All shards of this part; each is stored before it is yielded. A worker knows from the
            done logs of earlier plans what is up to date.

        Raises:
            UsageError: An input is missing, or there is no photo.
            OutputError: The plan cannot be stored.
        """
        out = open_store(self.out)
        try:
            planning = _Planning(self, out)
            yield from self._stored_shards(planning, out)
        except UsageError:
            if not self.report.shards:  # a wrong command leaves nothing
                out.delete([f"{self.folder}/plans/{self.plan}.json"])
            raise
        self.report.end(planning.listing)
        self._note(out, superseded=planning.superseded())

    def _stored_shards(self, planning: _Planning, out: Store) -> Iterator[Shard]:
        for number, (photos, logs) in enumerate(planning, 1):
            shard = Shard(f"{number:07}", photos, logs)
            content = {"photos": [_as_list(photo) for photo in photos]}
            out.write(f"{self._shards_folder}/{shard.name}.json", json.dumps(content).encode())
            self.report.photos += len(photos)
            self.report.shards = number
            yield shard

    def finish(self) -> None:
        """Remove what earlier plans have left; called once all shards are complete.

        A done log goes if all that it says is in those of this plan, and nobody has changed it
        since. So old logs are never more than there are results. Plans of other runs, or of other
        parts, go as a whole or not at all.
        """
        out = open_store(self.out)
        noted: Any = json.loads(out.read(f"{self.folder}/plans/{self.plan}.json") or b"{}")
        superseded = dict(noted.get("superseded", ()))
        removed: list[str] = []
        for plan, stored in _by_plan(out).items():
            logs = [one for one in stored if "/done/" in one.key]
            old = [one.key for one in logs if superseded.get(one.key) == one.version]
            if plan == (self.run, self.plan):
                continue
            if plan[0] == self.run and plan[1].startswith(self._part_name):
                removed += [*old, *(one.key for one in stored if one not in logs)]
            elif logs and len(old) == len(logs):
                removed += [one.key for one in stored]
        out.delete(removed)
        self._note(out, finished=round(time.time(), 3))

    def concerns_earlier_plan(self, log: str) -> bool:
        """Whether a done log is of an earlier plan of the same part."""
        return log.startswith(f"{self.folder}/done/{self._part_name}") and not log.startswith(
            f"{self.folder}/done/{self.plan}/"
        )

    @property
    def _part_name(self) -> str:
        return f"{self.part[0]}-of-{self.part[1]}."

    @property
    def _shards_folder(self) -> str:
        return f"{self.folder}/shards/{self.plan}"

    def _note(self, out: Store, **more: object) -> None:
        key = f"{self.folder}/plans/{self.plan}.json"
        content: Any = json.loads(out.read(key) or b"{}")
        content |= {
            "photos": self.report.photos,
            "shards": self.report.shards,
            "listed": self.report.is_listed,
            **more,
        }
        out.write(key, json.dumps(content).encode())


class _Planning:
    """Lists the inputs of a run, settles the names of results, and forms shards."""

    def __init__(self, run: CloudRun, out: Store) -> None:
        self._run, self._out = run, out
        self._inputs = open_inputs(run.inputs)
        self._versions: dict[str, str] = {}
        self.index = RecordIndex(out, self._earlier_logs())
        self.listing = Listing(self._inputs, out, run.config.exclude)

    def __iter__(self) -> Iterator[tuple[tuple[CloudPhoto, ...], tuple[str, ...]]]:
        """Yield the photos of each shard, and the keys of the done logs that concern them."""
        config = self._run.config
        settler = NameSettler(config.format, config.pairs, self.listing, config.suffix)
        own = (photo for photo in settler.settle(self.listing) if self._is_own(photo))
        originals = places_of_photos(self._inputs, self._out)
        for photos in _in_shards(_refuse_originals(own, self._out, originals)):
            yield photos, self.index.logs_on(photos)

    def superseded(self) -> dict[str, str]:
        """The done logs all of whose results are planned anew, and their versions."""
        return {log: self._versions[log] for log in self.index.superseded()}

    def _is_own(self, photo: CloudPhoto) -> bool:
        part, parts = self._run.part
        return parts == 1 or zlib.crc32(os.fsencode(photo.key)) % parts == part - 1

    def _earlier_logs(self) -> Iterator[str]:
        """Done logs of all runs, but for those of this plan and of the run's other parts."""
        run = self._run
        own = f"{run.folder}/done/{run.part[0]}-of-{run.part[1]}."
        others = f"-of-{run.part[1]}."
        begun = f"{run.folder}/done/{run.plan}/"  # plans of other runs have the same name
        for page in self._out.pages(below=ROOT):
            for key, version in ((one.key, one.version) for one in page if "/done/" in one.key):
                is_of_others = key.startswith(f"{run.folder}/") and others in key
                if (key.startswith(own) or not is_of_others) and not key.startswith(begun):
                    self._versions[key] = version
                    yield key


def prepare_run(
    config: ApplyConfig,
    inputs: Iterable[str],
    out: str,
    part: tuple[int, int] = (1, 1),
    command: str = "",
) -> CloudRun:
    """Check all that can be checked before the first photo is listed; nothing is stored.

    Args:
        config: The options.
        inputs: URLs or paths of the inputs.
        out: URL or path of the output.
        part: Which part of the photos is done here, from 1, and how many parts there are.
        command: The command that goes on with the run, for ``enhance status``.

    Raises:
        UsageError: An option cannot be used with stores, an input is missing, or a place is wrong.
        EnhanceError: The weights, the device or a store cannot be used.
    """
    places = tuple(inputs)
    _refuse_unsuitable(config)
    refuse_missing_encoder(config.format)
    refuse_unusable_device(config.device)
    weights = describe_weights(find_weights(config.weights))
    refuse_missing_cenet(config, weights.config)
    results = open_store(out)
    results.check()
    places = without_own_results(places, results)
    opened = open_inputs(places)
    for one in opened:
        one.store.check()
    _refuse_same(opened, results)
    settings = settings_digest(config, weights.path)
    text = json.dumps([places, settings, config.exclude, config.pairs, config.look_files])
    run = hashlib.sha256(text.encode()).hexdigest()[:16]
    config = replace(config, weights=weights.path)
    return CloudRun(config, places, out, run, settings, "", part, command)


def begin_run(run: CloudRun) -> CloudRun:
    """Begin a plan of a run that has been prepared.

    Raises:
        EnhanceError: The plan cannot be stored.
    """
    store = open_store(run.out)
    folder = f"{run.folder}/plans"
    own = f"{run.part[0]}-of-{run.part[1]}."
    names = [
        one.key.rpartition("/")[2].removesuffix(".json")
        for page in store.pages(below=folder)
        for one in page
    ]
    last = max((int(name.rpartition(".")[2]) for name in names if name.startswith(own)), default=0)
    note = {
        "command": run.command,
        "inputs": list(run.inputs),
        "part": list(run.part),
        "began": round(time.time(), 3),
        "version": enhance_cli.__version__,
        "listed": False,
    }
    while True:
        last += 1
        plan = f"{own}{last:04}"
        if store.write(f"{folder}/{plan}.json", json.dumps(note).encode(), create=True):
            return replace(run, plan=plan)


def planned_shards(run: CloudRun) -> Iterator[Shard]:
    """The shards of a run that has been prepared only; nothing is stored.

    Raises:
        OutputError: The output is a folder that cannot be written.
    """
    out = open_store(run.out)
    if isinstance(out, LocalFolder):
        out.rehearse(run.folder)
    planning = _Planning(run, out)
    for photos, logs in planning:
        yield Shard("", photos, logs)
    run.report.end(planning.listing)


def _by_plan(out: Store) -> dict[tuple[str, str], list[StoredObject]]:
    """What runs have noted into an output, by run and plan."""
    found: dict[tuple[str, str], list[StoredObject]] = {}
    for page in out.pages(below=ROOT):
        for one in page:
            _, run, _, plan, *_ = [*one.key.split("/"), "", "", ""]
            found.setdefault((run, plan.removesuffix(".json")), []).append(one)
    return found


def _refuse_unsuitable(config: ApplyConfig) -> None:
    wanted = {
        "--series": config.series != "off",
        "--sync-from": config.sync_from is not None,
        "--gallery": config.gallery is not None,
        "--compare": config.compare is not None,
        "--lut": config.lut is not None,
    }
    if config.name is not None:
        place = Path(config.out or "", config.name)
        raise UsageError(
            f"--out {url_of(place) or place}: names a file; with --shard and stores, name a folder"
        )
    for option, is_wanted in wanted.items():
        if is_wanted:
            raise UsageError(
                f"{option}: works with folders alone, not with object stores or --shard; leave it "
                "out, or copy the photos to a disk first"
            )


def _refuse_same(inputs: list[Input], out: Store) -> None:
    if places_of_photos(inputs, out).are_in_out:
        raise UsageError(
            f"--out {out.url}: holds the originals; choose a folder that does not hold the photos"
        )


def _refuse_originals(
    photos: Iterable[CloudPhoto], out: Store, originals: PlacesOfPhotos
) -> Iterator[CloudPhoto]:
    """Refuse results in the places of originals.

    Raises:
        UsageError: A result would replace an original.
    """
    for photo in photos:
        if originals.would_lose(photo.result):
            raise UsageError(
                f"--out would replace the original {out.name(photo.result)}; choose a folder that "
                "does not hold the photos"
            )
        yield photo


def _in_shards(photos: Iterable[CloudPhoto]) -> Iterator[tuple[CloudPhoto, ...]]:
    shard: list[CloudPhoto] = []
    size, is_first, began = 0, True, time.monotonic()
    for photo in photos:
        full = len(shard) == MAX_PHOTOS or size + photo.size > MAX_BYTES
        late = is_first and time.monotonic() > began + FIRST_SHARD_SECONDS
        if shard and (full or late):
            yield tuple(shard)
            shard, size, is_first = [], 0, False
        shard.append(photo)
        size += photo.size
    if shard:
        yield tuple(shard)


def _as_list(photo: CloudPhoto) -> list[object]:
    return [photo.source, photo.key, photo.size, photo.version, photo.result]
