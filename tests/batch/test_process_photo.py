"""A photo's way from its file to its result."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import piexif
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

import enhance_cli
from enhance_cli import time_limit
from enhance_cli.batch import process_photo
from enhance_cli.batch.outcome import Status
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.cli.main import app
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.dials import Dials
from enhance_cli.imaging import codecs, file_limits
from enhance_cli.imaging.codecs import pillow_image
from enhance_cli.imaging.metadata import exif
from enhance_cli.models.cascade import Cascade
from tests.pictures import smooth

PACKAGE = Path(enhance_cli.__file__).parent


def own_frames() -> list[str]:
    """The functions of this package that are being called, outermost first."""
    names: list[str] = []
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if Path(code.co_filename).is_relative_to(PACKAGE) and code.co_name != "bounded":
            names.insert(0, code.co_name)
        frame = frame.f_back
    return names


def test_from_the_command_to_the_network_are_eight_frames(
    tmp_path, monkeypatch, write_photo, identity_weights
):
    submitted, networks = [], []
    submit, forward = ThreadPoolExecutor.submit, Cascade.forward

    def observed_submit(self, task):
        submitted.append(own_frames())
        return submit(self, task)

    def observed_forward(self, *arguments):
        networks.append([*own_frames(), "forward"])
        return forward(self, *arguments)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", observed_submit)
    monkeypatch.setattr(Cascade, "forward", observed_forward)
    photo = write_photo(tmp_path / "a.jpg")
    command = ("apply", photo, "--out", tmp_path / "out", "--weights", identity_weights)
    result = CliRunner().invoke(app, [*map(str, command), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert submitted == [["apply", "run_batch", "__iter__", "run"]]
    # The enhancer's predict, then that of what runs the networks.
    assert networks == [["process_photo", "predict", "predict", "forward"]]


EXIF = piexif.dump({"0th": {piexif.ImageIFD.Make: b"Maker"}})


def write_jpeg(path, _write_dng):
    Image.fromarray(smooth(60, 40)).save(path, exif=EXIF)


def write_tiff(path, _write_dng):
    deep = smooth(60, 40).astype(np.uint16) * 257
    tifffile.imwrite(path, deep, photometric="rgb", extratags=[(271, "s", 0, "Maker", True)])


def write_raw(path, write_dng):
    write_dng(path, smooth(60, 40))


@pytest.mark.parametrize(
    ("name", "write", "blocks", "tags"),
    [
        ("a.jpg", write_jpeg, 1, 0),
        ("a.tif", write_tiff, 0, 1),
        ("a.dng", write_raw, 0, 1),
    ],
)
def test_a_photo_is_decoded_once_with_all_its_metadata(
    tmp_path, monkeypatch, write_dng, identity_weights, name, write, blocks, tags
):
    path = tmp_path / name
    write(path, write_dng)
    calls: list[str] = []

    def counted(module, function):
        real = getattr(module, function)

        def call(*arguments, **options):
            calls.append(function)
            return real(*arguments, **options)

        monkeypatch.setattr(module, function, call)

    def decode_and_remove(*arguments):
        calls.append("decode")
        photo = decode(*arguments)
        path.unlink()  # whoever opened the file again would fail
        return photo

    decode = process_photo.decode
    monkeypatch.setattr(process_photo, "decode", decode_and_remove)
    counted(pillow_image, "read_metadata")
    counted(codecs.decode, "read_metadata")
    counted(exif, "read_tags")
    config = ApplyConfig((path,), tmp_path / "out", weights=identity_weights, device="cpu")
    (outcome,) = BatchRunner(config)
    assert outcome.status is Status.DONE and not outcome.warnings, outcome
    assert sorted(calls) == sorted(["decode"] + ["read_metadata"] * blocks + ["read_tags"] * tags)
    with Image.open(outcome.output) as result:
        assert result.getexif().get(piexif.ImageIFD.Make, "").strip("\0") == (
            "" if name.endswith("dng") else "Maker"
        )


class TestLooks:
    """Strength and dials, also from an ``enhance.toml`` beside the photos."""

    CAMERA = piexif.dump({"0th": {271: b"NIKON CORPORATION", 272: b"NIKON D750"}})

    @pytest.fixture
    def photos(self, tmp_path, write_photo):
        grey = np.full((40, 60, 3), 188, np.uint8)  # half of the light
        write_photo(tmp_path / "in" / "a.png", grey)
        write_photo(tmp_path / "in" / "nikon.png", grey, exif=self.CAMERA)
        tags = [(271, "s", 0, "NIKON CORPORATION", False), (272, "s", 0, "NIKON D750", False)]
        tifffile.imwrite(tmp_path / "in" / "nikon.tif", grey, photometric="rgb", extratags=tags)
        return tmp_path / "in"

    @pytest.fixture
    def levels(self, tmp_path, photos, identity_weights):
        def run(**options):
            config = ApplyConfig(
                (photos,), tmp_path / "out", weights=identity_weights, device="cpu", **options
            )
            outcomes = list(BatchRunner(config))
            assert all(one.status != Status.FAILED for one in outcomes)
            redone = sum(one.status == Status.DONE for one in outcomes)
            names = sorted(path.name for path in photos.glob("*.[pt][ni][gf]"))
            pictures = [Image.open(tmp_path / "out" / name) for name in names]
            return [int(np.asarray(one).mean().round()) for one in pictures], redone

        return run

    def test_a_stop_less_halves_the_light_of_every_photo(self, levels):
        assert levels(dials=Dials(exposure=-1)) == ([137] * 3, 3)
        assert levels(dials=Dials(exposure=-1)) == ([137] * 3, 0)
        assert levels() == ([188] * 3, 3)

    def test_a_camera_has_its_own_look(self, levels, photos):
        (photos / "enhance.toml").write_text('exposure = -1\n[camera."NIKON D750"]\nexposure = 1')
        assert levels(look_files=True) == ([137, 255, 255], 3)
        assert levels(look_files=True)[1] == 0
        assert levels(look_files=True, dials=Dials(), given=("exposure",)) == ([188] * 3, 3)

    def test_a_changed_file_redoes_its_photos(self, levels, photos):
        assert levels(look_files=True)[1] == 3
        (photos / "enhance.toml").write_text("exposure = -1")
        assert levels(look_files=True) == ([137] * 3, 3)
        assert levels() == ([188] * 3, 3)

    def test_a_grey_photo_is_darkened_with_no_strength_at_all(self, levels):
        assert levels(strength=0, dials=Dials(exposure=-1))[0] == [137] * 3


@pytest.mark.proves("Damaged files", "the rest are processed")
@pytest.mark.parametrize("long_edge", [500, None])
def test_a_photo_that_hangs_is_reported_and_all_others_go_on(
    tmp_path, monkeypatch, write_photo, identity_weights, long_edge
):
    """More of them than there are workers, so that none of these is lost."""
    end = threading.Event()
    monkeypatch.setattr(file_limits, "_SECONDS", 0.3)
    monkeypatch.setattr(time_limit, "TICK", 0.1)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda *_, **__: end.wait(100))
    for number in range(20):
        write_photo(tmp_path / "in" / f"{number:02}.{'tif' if number % 2 else 'png'}")
    out = tmp_path / "out"
    config = ApplyConfig(
        (tmp_path / "in",), out, weights=identity_weights, device="cpu", long_edge=long_edge
    )
    runner = BatchRunner(config)
    outcomes = list(runner)
    end.set()
    failed = [one for one in outcomes if one.status is Status.FAILED]
    assert [one.input.suffix for one in outcomes] == [".png", ".tif"] * 10
    assert len(failed) == 10 and all("given up after" in (one.error or "") for one in failed)
    with runner._pool.budget.reservation() as reserve:
        reserve(10**9)  # all pixels have been given back
    assert not list(out.glob("*.tif"))


@pytest.mark.skipif(not Path("/proc/kmsg").exists(), reason="no /proc/kmsg")
def test_files_of_the_system_that_never_end_are_reported_at_once(
    tmp_path, write_photo, identity_weights
):
    folder = tmp_path / "in"
    write_photo(folder / "z.jpg")
    for name, target in (("a.jpg", "kmsg"), ("b.nef", "self/mem"), ("c.png", "self/pagemap")):
        (folder / name).symlink_to(f"/proc/{target}")
    config = ApplyConfig((folder,), tmp_path / "out", weights=identity_weights, device="cpu")
    *others, last = BatchRunner(config)
    assert last.status is Status.DONE
    assert {one.status for one in others} <= {Status.FAILED} and len(others) == 3
    assert all(one.seconds < 10 for one in others)
