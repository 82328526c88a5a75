"""Folders that are watched, with real files, by notification and by polling."""

import errno
import gc
import os
import shutil
import subprocess
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from pictures import smooth
from PIL import Image

from enhance_cli.batch.outcome import Status
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.batch.watch import watcher as watcher_module
from enhance_cli.batch.watch.watcher import Trouble, Watcher
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.model import ModelConfig
from enhance_cli.errors import UsageError
from enhance_cli.inference.enhancer import Enhancer
from enhance_cli.inference.weights import save_weights
from enhance_cli.inference.weights_file import Provenance
from enhance_cli.models.cascade import Cascade

DEADLINE = 60.0
SETTLE = 0.4


def wait_for(condition) -> None:
    """Wait until something is so; it may take long on a busy machine."""
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


class Watch:
    """A watch in a thread of its own."""

    def __init__(self, config: ApplyConfig, poll: bool) -> None:
        self.watcher = Watcher(config, SETTLE, poll)
        self.outcomes, self.troubles, self.error = [], [], None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            for happened in self.watcher:
                kind = self.troubles if isinstance(happened, Trouble) else self.outcomes
                kind.append(happened)
        except Exception as problem:
            self.error = problem

    def stop(self) -> None:
        self.watcher.stop()
        self.thread.join(timeout=DEADLINE)
        assert not self.thread.is_alive() and self.error is None

    def statuses(self) -> dict[str, Status]:
        return {one.input.name: one.status for one in self.outcomes}

    def await_all(self, *names: str, status=Status.DONE) -> None:
        wait_for(lambda: all(self.statuses().get(name) is status for name in names))


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture(params=[False, True], ids=["notified", "polling"])
def poll(request) -> bool:
    return request.param


@pytest.fixture
def begin(folder, tmp_path, brightening_weights, poll):
    begun = []

    def begin(**options) -> Watch:
        options = {"out": tmp_path / "out", "weights": brightening_weights} | options
        begun.append(Watch(ApplyConfig((folder,), device="cpu", **options), poll))
        return begun[-1]

    yield begin
    for one in begun:
        one.stop()


def results(folder: Path) -> list[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if ".enhance-run." not in name)


def level(path: Path) -> float:
    return np.asarray(Image.open(path).convert("RGB")).mean()


def test_photos_are_done_as_they_come(folder, begin, tmp_path, write_photo, write_dng):
    write_photo(folder / "before.jpg")
    watch = begin()
    watch.await_all("before.jpg")
    write_photo(folder / "a.png")
    write_dng(folder / "new" / "deep" / "b.nef", smooth(60, 40))
    write_photo(tmp_path / "elsewhere.jpg").rename(folder / "moved.jpg")
    (folder / "notes.txt").write_text("no photo")
    (folder / "c.jpg.part").write_bytes(b"half")
    (folder / "d.jpg.crdownload").write_bytes(b"half")
    watch.await_all("before.jpg", "a.png", "b.nef", "moved.jpg")
    expected = ["a.png", "before.jpg", "moved.jpg", "new/deep/b.jpg"]
    assert results(tmp_path / "out") == expected
    write_photo(tmp_path / "e.jpg").rename(folder / "c.jpg.part").rename(folder / "c.jpg")
    watch.await_all("c.jpg")
    assert not watch.troubles and len(watch.outcomes) == 5


def test_a_changed_photo_is_done_again_and_a_deleted_one_is_nothing(folder, begin, write_photo):
    write_photo(folder / "a.jpg", np.full((40, 60, 3), 60, np.uint8))
    watch = begin()
    watch.await_all("a.jpg")
    write_photo(folder / "b.jpg").unlink()
    write_photo(folder / "a.jpg", np.full((40, 60, 3), 160, np.uint8))
    wait_for(lambda: len(watch.outcomes) == 2)
    assert watch.outcomes[1].reason == "the photo has changed"
    assert level(watch.outcomes[1].output) == pytest.approx(186, abs=2)
    time.sleep(3 * SETTLE)
    assert len(watch.outcomes) == 2 and not watch.troubles


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.dng", "a.tif"])
def test_a_photo_that_is_being_copied_is_not_failed(
    folder, begin, tmp_path, write_photo, write_dng, name
):
    write = write_dng if name == "a.dng" else write_photo
    whole = write(tmp_path / name, smooth(300, 200)).read_bytes()
    watch = begin()
    with (folder / name).open("wb") as file:
        for part in range(5):
            file.write(whole[len(whole) * part // 5 : len(whole) * (part + 1) // 5])
            file.flush()
            time.sleep(1.6 * SETTLE)  # longer than it must be still
    watch.await_all(name)
    assert [one.status for one in watch.outcomes] == [Status.DONE], watch.outcomes


def test_what_stays_broken_is_told_once_and_done_when_it_is_whole(folder, begin, write_photo):
    (folder / "a.jpg").write_bytes(b"\xff\xd8 broken")
    watch = begin()
    watch.await_all("a.jpg", status=Status.FAILED)
    write_photo(folder / "b.jpg")
    watch.await_all("b.jpg")
    time.sleep(3 * SETTLE)
    assert len(watch.outcomes) == 2
    (early,) = watch.troubles  # told when it is first found, not only after the second attempt
    assert "a.jpg: " in early.text and "perhaps it is not complete: trying again" in early.text
    write_photo(folder / "a.jpg")
    watch.await_all("a.jpg")


def test_its_own_results_are_not_photos(folder, begin, write_photo):
    write_photo(folder / "a.jpg")
    watch = begin(out=folder / "out", compare=folder / "pairs", lut=folder / "luts",
                  lut_format="hald")  # fmt: skip
    watch.await_all("a.jpg")
    write_photo(folder / "b.jpg")
    watch.await_all("b.jpg")
    time.sleep(3 * SETTLE)
    assert len(watch.outcomes) == 2
    assert results(folder / "pairs") == ["a.jpg.jpg", "b.jpg.jpg"]


def test_nor_those_beside_the_photos(folder, begin, write_photo):
    write_photo(folder / "a.jpg")
    watch = begin(out=None, suffix="_e")
    watch.await_all("a.jpg")
    write_photo(folder / "day" / "b.jpg")
    watch.await_all("b.jpg")
    watch.stop()
    again = begin(out=None, suffix="_e")
    again.await_all("a.jpg", "b.jpg", status=Status.SKIPPED)
    time.sleep(3 * SETTLE)
    assert results(folder) == ["a.jpg", "a_e.jpg", "day/b.jpg", "day/b_e.jpg"]
    assert len(again.outcomes) == 2


def test_the_networks_are_loaded_once(folder, begin, write_photo, monkeypatch):
    loaded, real = [], Enhancer.load

    def load(*arguments):
        loaded.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(Enhancer, "load", load)
    watch = begin()
    for number in range(4):
        write_photo(folder / f"{number}.jpg")
        watch.await_all(f"{number}.jpg")
    assert len(loaded) == 1


def test_what_came_meanwhile_is_done_at_the_start(folder, begin, write_photo):
    write_photo(folder / "a.jpg")
    first = begin()
    first.await_all("a.jpg")
    first.stop()
    write_photo(folder / "b.jpg")
    second = begin()
    second.await_all("b.jpg")
    second.await_all("a.jpg", status=Status.SKIPPED)


def test_many_photos_in_a_folder_that_is_moved_in(folder, begin, tmp_path, write_photo):
    for number in range(60):
        write_photo(tmp_path / "card" / f"{number}.jpg")
    watch = begin()
    (tmp_path / "card").rename(folder / "card")
    wait_for(lambda: len(watch.outcomes) == 60)
    assert set(watch.statuses().values()) == {Status.DONE}


def test_a_folder_that_vanishes_and_comes_back(folder, begin, tmp_path, write_photo, monkeypatch):
    monkeypatch.setattr(watcher_module, "RETRY", 0.3)
    write_photo(folder / "a.jpg")
    watch = begin()
    watch.await_all("a.jpg")
    folder.rename(tmp_path / "away")
    wait_for(lambda: watch.troubles)
    (tmp_path / "away").rename(folder)
    write_photo(folder / "b.jpg")
    watch.await_all("b.jpg")
    assert len(watch.troubles) == 1 and "no such" in watch.troubles[0].text
    shutil.rmtree(folder)
    wait_for(lambda: len(watch.troubles) == 2)
    folder.mkdir()
    write_photo(folder / "c.jpg")
    watch.await_all("c.jpg")


def test_an_empty_folder_is_no_trouble(folder, begin, write_photo):
    watch = begin()
    time.sleep(3 * SETTLE)
    assert not watch.troubles
    path = write_photo(folder / "a.jpg")
    watch.await_all("a.jpg")
    path.unlink()
    time.sleep(3 * SETTLE)
    write_photo(folder / "b.jpg")
    watch.await_all("b.jpg")
    assert not watch.troubles


def test_a_full_disk_is_told_once_and_the_photo_done_later(folder, begin, write_photo, monkeypatch):
    monkeypatch.setattr(watcher_module, "RETRY", 0.3)
    full, real = [True], os.fsync

    def fsync(file):
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    monkeypatch.setattr("enhance_cli.atomic_write.os.fsync", fsync)
    write_photo(folder / "a.jpg")
    watch = begin()
    wait_for(lambda: watch.troubles)
    time.sleep(1)
    assert "No space left" in watch.troubles[0].text and not watch.outcomes
    full.clear()
    watch.await_all("a.jpg")
    assert len(watch.troubles) == 1


def test_the_look_is_that_of_the_moment(folder, begin, tmp_path, write_photo, monkeypatch):
    monkeypatch.setattr(watcher_module, "RETRY", 0.3)
    grey = np.full((40, 60, 3), 60, np.uint8)
    watch = begin(look_files=True)
    write_photo(folder / "a.jpg", grey)
    watch.await_all("a.jpg")
    (folder / "enhance.toml").write_text("exposure = ")
    write_photo(folder / "b.jpg", grey)
    wait_for(lambda: watch.troubles)
    assert "enhance.toml" in watch.troubles[0].text
    (folder / "enhance.toml").write_text("exposure = 1\n")
    watch.await_all("b.jpg")
    assert level(tmp_path / "out" / "b.jpg") > level(tmp_path / "out" / "a.jpg") + 10
    assert len(watch.outcomes) == 2


def test_photos_get_the_look_of_another_as_in_a_run(folder, begin, tmp_path, write_photo):
    reference = write_photo(tmp_path / "reference.png", smooth(60, 40) // 3)
    write_photo(folder / "a.png", smooth(60, 40) // 2)
    options = {"weights": None, "sync_from": reference}
    watch = begin(**options)
    watch.await_all("a.png")
    write_photo(folder / "b.png", 255 - smooth(60, 40) // 2)
    watch.await_all("a.png", "b.png")
    for name, changes in (("synced", {}), ("own", {"sync_from": None})):
        config = ApplyConfig((folder,), tmp_path / name, device="cpu", **options | changes)
        assert all(one.status is Status.DONE for one in BatchRunner(config))
    for photo in ("a.png", "b.png"):
        found, synced, own = (
            np.asarray(Image.open(tmp_path / place / photo)) for place in ("out", "synced", "own")
        )
        assert np.array_equal(found, synced) and not np.array_equal(found, own)


def test_files_in_the_way_are_told_once(folder, begin, tmp_path, write_photo):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.jpg").write_text("mine")
    write_photo(folder / "a.jpg")
    watch = begin()
    watch.await_all("a.jpg", status=Status.SKIPPED)
    time.sleep(3 * SETTLE)
    assert len(watch.outcomes) == 1 and (tmp_path / "out" / "a.jpg").read_text() == "mine"


def test_it_holds_nothing_of_photos_that_have_gone(folder, begin, write_photo):
    watch = begin()
    for number in range(10):
        path = write_photo(folder / f"{number}.jpg")
        watch.await_all(path.name)
        path.unlink()
    wait_for(lambda: len(watch.watcher._settling._seen) <= 1)
    before = threading.active_count()
    write_photo(folder / "last.jpg")
    watch.await_all("last.jpg")
    wait_for(lambda: threading.active_count() <= before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        ({"on_conflict": "error"}, "--on-conflict error"),
        ({"out": "in"}, "is watched"),
        ({"out": "in", "missing": True}, "no such folder"),
        ({"file": True}, "only folders are watched"),
    ],
)
def test_what_cannot_be_watched(tmp_path, folder, write_photo, brightening_weights, make, message):
    given = folder
    if make.pop("missing", False):
        given = tmp_path / "gone"
    if make.pop("file", False):
        given = write_photo(tmp_path / "a.jpg")
    options = {"out": tmp_path / make.pop("out", "out")} | make
    config = ApplyConfig((given,), weights=brightening_weights, device="cpu", **options)
    with pytest.raises(UsageError, match=message):
        Watcher(config, SETTLE)


@pytest.fixture
def card(folder):
    """A file system of its own, mounted on the watched folder."""
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "enhance-test", str(folder)]

    def mount() -> None:
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("only root may mount")

    mount()
    yield mount
    subprocess.run(["umount", str(folder)], check=False, capture_output=True)


def test_a_card_that_is_taken_out_and_put_in_again(folder, card, begin, write_photo):
    write_photo(folder / "a.jpg")
    watch = begin()
    watch.await_all("a.jpg")
    for name in ("b.jpg", "c.jpg"):
        wait_for(lambda: not subprocess.run(["umount", str(folder)], check=False).returncode)
        time.sleep(1.5)
        card()
        started = time.monotonic()
        write_photo(folder / name)
        watch.await_all(name)
        assert time.monotonic() - started < DEADLINE / 2
    assert not watch.troubles


def test_a_folder_that_cannot_be_read_is_told_once(folder, begin, write_photo, monkeypatch):
    write_photo(folder / "closed" / "a.jpg")
    write_photo(folder / "b.jpg")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    watch = begin()
    watch.await_all("b.jpg")
    write_photo(folder / "c.jpg")
    watch.await_all("c.jpg")
    assert len(watch.troubles) == 1 and "closed: folder cannot be read" in watch.troubles[0].text
    assert set(watch.statuses()) == {"b.jpg", "c.jpg"}


def test_weights_that_are_no_color_function_are_told_with_tables(begin, tmp_path):
    path = tmp_path / "per-pixel.safetensors"
    save_weights(path, Cascade(ModelConfig(input_side=64, fit="squash")), Provenance())
    watch = begin(weights=path, lut=tmp_path / "luts")
    wait_for(lambda: watch.troubles)
    assert "CENet's map alone" in watch.troubles[0].text and len(watch.troubles) == 1


def test_nothing_of_a_round_is_held(folder, begin, write_photo, monkeypatch):
    """The records of all results are read in each round; they must not wait for a collection."""
    rounds = []

    class Seen(BatchRunner):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            rounds.append(weakref.ref(self._manifest))

    monkeypatch.setattr(watcher_module, "BatchRunner", Seen)
    gc.disable()
    try:
        watch = begin()
        for number in range(4):
            write_photo(folder / f"{number}.jpg")
            watch.await_all(f"{number}.jpg")
        wait_for(lambda: sum(one() is not None for one in rounds) <= 1)
        assert len(rounds) >= 5
    finally:
        gc.enable()
