import shutil
import subprocess
from concurrent.futures import Future

import pytest

from enhance_cli.batch.series import first_pass
from enhance_cli.batch.series.bursts import Burst
from enhance_cli.batch.series.first_pass import bursts_of, look_at_bursts
from enhance_cli.batch.worker_pool import WorkerPool
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import UsageError, WeightsError
from enhance_cli.inference.enhancer import Enhancer


@pytest.fixture
def photos(tmp_path, shoot):
    return [shoot(tmp_path / f"{number}.jpg", second=number) for number in range(4)]


@pytest.fixture
def networks() -> Future:
    ready: Future = Future()
    ready.set_result(Enhancer.load(device="cpu"))
    return ready


def config(**options) -> ApplyConfig:
    return ApplyConfig((), first_pass.Path("out"), **options)


@pytest.mark.skipif(not shutil.which("exiftool"), reason="needs ExifTool")
def test_a_raw_and_the_jpeg_beside_it_are_developed_differently(photos, write_dng, coffee):
    raws = [write_dng(photo.with_suffix(".dng"), coffee) for photo in photos[:2]]
    for raw, photo in zip(raws, photos[:2], strict=True):
        copy = ["-TagsFromFile", photo, "-DateTimeOriginal", "-Model"]
        subprocess.run(["exiftool", "-q", "-overwrite_original", *copy, raw], check=True)
    bursts, _ = bursts_of(config(series="auto"), [*raws, *photos[:2]])
    assert [burst.photos for burst in bursts] == [tuple(raws), tuple(photos[:2])]


@pytest.mark.parametrize("options", [{}, {"series": "off"}, {"series": "auto", "strength": 0}])
def test_where_nothing_is_shared_no_file_is_opened(options):
    assert bursts_of(config(**options), [first_pass.Path("gone.jpg")] * 2) == ([], [])


@pytest.mark.parametrize("gap", [-1, float("nan"), float("inf"), True, "60"])
def test_a_gap_is_a_time(gap):
    with pytest.raises(UsageError, match=r"^series_gap = "):
        config(series_gap=gap)


def test_bursts_come_one_by_one_with_all_their_photos(photos, networks):
    bursts = [Burst.of(photos[:2], False), Burst.of(photos[2:], True)]
    looked: list[int] = []
    pool = WorkerPool(2)
    found = list(look_at_bursts(bursts, config(), pool, networks, lambda: looked.append(1)))
    assert [list(members) for members in found] == [photos[:2], photos[2:]]
    assert len(looked) == 4
    for members in found:
        assert len({member.series for member in members.values()}) == 1
        assert all(member.retouch is not None for member in members.values())


def test_photos_with_a_bug_or_damage_are_alone(photos, networks, monkeypatch):
    photos[0].write_text("no photo")
    (members,) = look_at_bursts(
        [Burst.of(photos, False)], config(), WorkerPool(1), networks, lambda: None
    )
    assert [member.series == "alone" for member in members.values()] == [True, False, False, False]

    def fail(*_arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(Enhancer, "predict", fail)
    (members,) = look_at_bursts(
        [Burst.of(photos, False)], config(), WorkerPool(1), networks, lambda: None
    )
    assert {member.series for member in members.values()} == {"alone"}


def test_networks_that_cannot_be_loaded_end_the_run(photos):
    broken: Future = Future()
    broken.set_exception(WeightsError("damaged"))
    with pytest.raises(WeightsError, match="damaged"):
        list(
            look_at_bursts([Burst.of(photos, False)], config(), WorkerPool(2), broken, lambda: None)
        )
