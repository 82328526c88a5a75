"""The names that a stream of names gets are those of a run over folders."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import count, product
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from enhance_cli.batch.output_paths import plan_outputs
from enhance_cli.cloud.planning.listing import Found
from enhance_cli.cloud.planning.names import NameSettler
from enhance_cli.cloud.stores import StoredObject
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import UsageError

FOLDERS = st.sampled_from(["", "s", "s/t", "u", "s-1"])
STEMS = st.sampled_from(["a", "A", "a-2", "A-2", "a-3", "b", "a.nef", "b.jpg", "ß", "SS"])
SUFFIXES = st.sampled_from([".jpg", ".JPG", ".nef", ".NEF", ".heic", ".png", ".tif", ".jp2"])
TREES = st.sets(st.tuples(FOLDERS, STEMS, SUFFIXES), min_size=1, max_size=16)


def found(key: str) -> Found:
    path = PurePosixPath(key)
    folder = "" if path.parent == PurePosixPath() else str(path.parent)
    return Found(0, StoredObject(key, 1, "v"), folder, path.name)


class Listed:
    """A listing, which a store gives in the order of the bytes of its keys.

    Args:
        keys: The keys.
        page: Names that are told at once if it is asked what follows; None if it cannot be asked.
    """

    def __init__(self, keys: Iterable[str], page: int | None = 2) -> None:
        self.keys = sorted(keys, key=str.encode)
        self.page = page
        self.asked = 0

    def __iter__(self) -> Iterator[Found]:
        return map(found, self.keys)

    def folder(self, _source: int, folder: str) -> list[Found]:
        return [one for one in self if one.folder == folder]

    def names_after(self, _source: int, folder: str, name: str) -> list[str] | None:
        self.asked += 1
        assert "\0" not in name
        start = f"{folder}/" if folder else ""
        below = [key.removeprefix(start) for key in self.keys if key.startswith(start)]
        return None if self.page is None else [key for key in below if key > name][: self.page]


def settled(
    keys: Iterable[str], kind="keep", pairs="both", addition="", page: int | None = 2
) -> dict[str, str]:
    """The names of a listing."""
    listing = Listed(keys, page)
    settler = NameSettler(kind, pairs, listing, addition)
    return {one.key: one.result for one in settler.settle(listing)}


def of_folders(
    root: Path, keys: list[str], kind="keep", pairs="both", addition=""
) -> dict[str, str]:
    """The names of a run over folders."""
    for key in keys:
        (root / "in" / key).parent.mkdir(parents=True, exist_ok=True)
        (root / "in" / key).touch()
    out = root / "out"
    plan = plan_outputs(ApplyConfig((root / "in",), out, format=kind, pairs=pairs, suffix=addition))
    return {
        job.input.relative_to(root / "in").as_posix(): job.output.relative_to(out).as_posix()
        for job in plan.jobs
    }


@pytest.fixture(params=[0, 1, 3, 1000])
def window(request, monkeypatch):
    """How many photos of a folder wait at once before the store is asked."""
    monkeypatch.setattr("enhance_cli.cloud.planning.names._WINDOW", request.param)


@pytest.mark.usefixtures("window")
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    TREES,
    st.sampled_from(["keep", "jpg", "tiff"]),
    st.sampled_from(["both", "raw", "jpeg"]),
    st.sampled_from(["", "-2"]),
    st.sampled_from([1, 2, 1000, None]),
)
@example({("", "A", ".jpg"), ("", "a", ".jpg"), ("", "a-2", ".nef")}, "keep", "both", "", 1)
@example(
    {("", "A-2", ".heic"), ("", "A", ".jpg"), ("", "a", ".jpg"), ("", "b", ".jpg")},
    *("keep", "raw", "", 1),
)
def test_the_names_are_those_of_a_run_over_folders(
    tmp_path_factory, tree, kind, pairs, addition, page
):
    keys = [f"{folder}/{stem}{suffix}".lstrip("/") for folder, stem, suffix in tree]
    expected = of_folders(tmp_path_factory.mktemp("tree"), keys, kind, pairs, addition)
    assert settled(keys, kind, pairs, addition, page) == expected


def test_names_that_wait_on_the_disk_are_the_same(monkeypatch, tmp_path):
    keys = [f"a{number}.{suffix}" for number in range(50) for suffix in ("nef", "heic", "jpg")]
    expected = of_folders(tmp_path, keys)
    monkeypatch.setattr("enhance_cli.cloud.planning.names._MANY", 7)
    assert settled(keys, page=None) == expected


def waited(keys: Iterable[str], pairs="both", kind="keep") -> tuple[int, int]:
    """Names that were listed before the first was settled, and how often the store was asked."""
    listing = Listed(keys, 1000)
    counted = count()
    names = (one for one, _ in zip(listing, counted, strict=False))
    next(iter(NameSettler(kind, pairs, listing).settle(names)))
    return next(counted), listing.asked


@pytest.mark.parametrize(
    ("form", "kind", "pairs"),
    [
        ("flat/DSC_{:08}.NEF", "keep", "both"),
        ("DSC_{:08}.NEF", "keep", "both"),
        ("flat/dsc-{}.NEF", "keep", "both"),
        ("flat/20260517-{:06}.dng", "keep", "both"),
        ("flat/IMG_{:08}_Straße_\ufb01n.heic", "keep", "both"),
        ("flat/DSC_{:08}.JPG", "png", "both"),
        ("flat/DSC_{:08}.JPG", "keep", "raw"),
        ("flat/写真{:08}.CR3", "keep", "both"),
    ],
)
def test_names_of_one_folder_are_settled_while_it_is_listed(form, kind, pairs):
    listed, asked = waited((form.format(number) for number in range(5000)), pairs, kind)
    assert listed == 1001 and asked <= 3


def test_one_clash_does_not_make_others_wait():
    keys = [f"flat/DSC_{number:05}.NEF" for number in range(3000)]
    assert waited([*keys, "flat/dsc_00000.jpg"])[0] == 1002
    names = settled([*keys, "flat/dsc_00000.jpg"], page=1000)
    assert names["flat/DSC_00000.NEF"] == "flat/DSC_00000.NEF.jpg"
    assert names["flat/DSC_00001.NEF"] == "flat/DSC_00001.jpg"


def test_the_store_is_asked_seldom_however_names_clash():
    """Where names in other cases are everywhere, all wait for the folder's end."""
    names = ["".join(name) + f"{n}.nef" for name in product(*["aA", "bB", "cC"] * 4) for n in "12"]
    listing = Listed(names, 1000)
    done = {one.key: one.result for one in NameSettler("keep", "both", listing).settle(listing)}
    assert len({name.casefold() for name in done.values()}) == len(names)
    assert listing.asked <= 60


def test_a_name_that_keeps_its_suffix_is_settled_at_once():
    assert waited(["flat/a.jpg", "flat/b.jpg"]) == (1, 0)


def test_folders_that_differ_in_case_alone_never_share_a_name():
    keys = ["A/x.jpg", "A/y.nef", "a/X.jpg", "a/y.nef", "B/c/z.jpg", "b/C/z.jpg"]
    names = settled(keys)
    assert len({name.casefold() for name in names.values()}) == len(keys)
    assert names["A/x.jpg"] == "A/x.jpg" and names["a/X.jpg"] == "a/X-2.jpg"


def test_a_store_that_lists_in_no_order_is_refused():
    unsorted = [found(key) for key in ("s/a.jpg", "t/b.jpg", "s/c.jpg")]
    with pytest.raises(UsageError, match="order of their names"):
        list(NameSettler("keep", "both", Listed(())).settle(unsorted))


PLAN = """
import sys, time
from itertools import islice
from enhance_cli.cloud import run as runs
from enhance_cli.cloud.stores import StoredObject

class Bucket:
    url, is_local = "s3://many", False
    stored = 0
    def __init__(self, keys): self.keys = keys
    def name(self, key): return f"{self.url}/{key}"
    def check(self): pass
    def head(self, key): return None
    def read(self, key): return None
    def write(self, key, content, create=False):
        self.stored += len(content)
        return True
    def names_after(self, folder, name):
        names = (key[len(folder) + 1:] for key in self.keys() if key.startswith(folder + "/"))
        return list(islice((one for one in names if one > name), 1000))
    def pages(self, after="", below=""):
        if below: return
        page = []
        for key in self.keys():
            page.append(StoredObject(key, 5_000_000, '"%032x"' % hash(key)))
            if len(page) == 1000:
                yield page
                page = []
        yield page

count, kind = int(sys.argv[1]), sys.argv[2]
suffixes = {"jpeg": ("jpg",), "raw": ("nef",), "both": ("jpg", "nef")}[kind]
def keys():
    for number in range(count // len(suffixes)):
        for suffix in suffixes:
            folder = "flat" if kind != "both" else f"2026/shoot-{number // 500:05}"
            yield f"{folder}/DSC_{number:08}.{suffix}"

source, out = Bucket(keys), Bucket(lambda: ())
out.url = "s3://out"
runs.open_inputs = lambda places: [runs.Input("s3://many", source, None)]
runs.open_store = lambda place: out
from enhance_cli.config.apply import ApplyConfig
from pathlib import Path
run = runs.CloudRun(ApplyConfig((), Path()), ("s3://many",), "s3://out", "run", "s", "p")
started, cpu = time.perf_counter(), time.process_time()
first, photos = None, 0
for shard in run.shards():
    first = first or time.perf_counter() - started
    photos += len(shard.photos)
status = Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0])
print(photos, time.process_time() - cpu, first, peak / 1024)
"""


def planned(count: int, kind: str) -> tuple[int, float, float, float]:
    """Photos, seconds of one core, seconds to the first shard and megabytes of planning."""
    done = subprocess.run(
        [sys.executable, "-c", PLAN, str(count), kind], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    photos, seconds, first, memory = done.stdout.split()
    return int(photos), float(seconds), float(first), float(memory)


@pytest.mark.parametrize("kind", ["both", "jpeg", "raw"])
def test_a_hundred_thousand_names_are_planned_in_seconds(kind):
    photos, seconds, first, memory = planned(100_000, kind)
    assert photos == 100_000
    assert seconds < 12
    assert memory < 200
    assert first < 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["both", "jpeg", "raw"])
def test_a_million_names_are_planned_in_a_minute_and_200_mb(kind):
    photos, seconds, first, memory = planned(1_000_000, kind)
    assert photos == 1_000_000
    assert seconds < 60
    assert memory < 200
    assert first < 5
