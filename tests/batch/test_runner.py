import gc
import hashlib
import json
import struct
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import piexif
import pytest
from PIL import Image

from enhance_cli.batch import manifest, process_photo
from enhance_cli.batch.outcome import Status
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import OutputError, UsageError
from enhance_cli.imaging.codecs import encode
from enhance_cli.imaging.metadata.metadata import NO_METADATA
from enhance_cli.inference.enhancer import Enhancer


@pytest.fixture
def run(tmp_path, identity_weights):
    def run(*inputs, weights=identity_weights, out=tmp_path / "out", **options):
        config = ApplyConfig(tuple(inputs), out, weights=weights, device="cpu", **options)
        return list(BatchRunner(config))

    return run


def digests(folder):
    return {p: hashlib.sha256(p.read_bytes()).digest() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.proves("Originals", "are only ever read.")
@pytest.mark.proves("Traces", "are two hidden files in the output folder")
@pytest.mark.proves("Names", "are kept.")
@pytest.mark.proves("Damaged files", "are reported with a reason;")
@pytest.mark.proves("Damaged files", "the rest are processed.")
def test_a_folder_with_every_kind_of_photo_and_files_that_are_not_photos(
    tmp_path, run, write_photo
):
    photos = tmp_path / "photos"
    write_photo(photos / "a.jpg")
    write_photo(photos / "deep" / "b c é.png", size=(1, 1))
    write_photo(photos / "deep" / "panorama.tif", size=(1000, 50))
    write_photo(photos / "grey.webp", np.full((9, 7), 90, np.uint8))
    Image.new("CMYK", (20, 20), (0, 255, 0, 0)).save(photos / "print.jpg")
    Image.new("RGBA", (20, 20), (9, 99, 199, 60)).save(photos / "cut.png")
    Image.new("P", (20, 20)).save(photos / "palette.png")
    (photos / "broken.jpg").write_bytes((photos / "a.jpg").read_bytes()[:300])
    (photos / "empty.nef").touch()
    (photos / "text.jpg").write_text("no photo")
    before = digests(photos)

    outcomes = {one.input.name: one for one in run(photos)}
    failed = {name for name, one in outcomes.items() if one.status is Status.FAILED}
    assert failed == {"broken.jpg", "empty.nef", "text.jpg"}
    assert all(name in str(outcomes[name].error) for name in failed)
    assert len(outcomes) == 10
    for one in outcomes.values():
        if one.status is Status.DONE:
            assert one.output is not None
            with Image.open(one.output) as result:
                result.load()
                assert max(result.size) <= 500
    written = {str(path.relative_to(tmp_path / "out")) for path in digests(tmp_path / "out")}
    assert written == {
        ".enhance-run.jsonl",
        ".enhance-run.lock",
        "a.jpg",
        "deep/b c é.png",
        "deep/panorama.tif",
        "grey.webp",
        "print.jpg",
        "cut.png",
        "palette.png",
    }
    assert digests(photos) == before, "an original was touched"


def test_untrained_weights_return_the_photo(tmp_path, run, write_photo, coffee):
    path = write_photo(tmp_path / "coffee.png", coffee)
    run(path)
    with Image.open(tmp_path / "out" / "coffee.png") as result, Image.open(path) as original:
        expected = original.resize((500, 333), Image.Resampling.LANCZOS, reducing_gap=3.0)
        assert np.array_equal(np.asarray(result), np.asarray(expected))


def test_the_color_map_of_the_weights_is_applied(tmp_path, run, write_photo, brightening_weights):
    color = np.array([100, 80, 60], np.uint8)
    path = write_photo(tmp_path / "a.png", np.broadcast_to(color, (8, 8, 3)).copy())
    run(path, weights=brightening_weights)
    with Image.open(tmp_path / "out" / "a.png") as result:
        assert result.getpixel((4, 4)) == (126, 106, 86)  # 0.1 x 255 more


@pytest.mark.proves("Grey photos", "the result is stored as grey")
@pytest.mark.proves("Transparency", "is kept if the format can hold it")
def test_a_grey_photo_stays_grey_and_transparency_stays(tmp_path, run, write_photo):
    write_photo(tmp_path / "in" / "grey.png", np.full((9, 7), 90, np.uint8))
    Image.new("RGBA", (20, 20), (9, 99, 199, 60)).save(tmp_path / "in" / "cut.png")
    run(tmp_path / "in")
    with Image.open(tmp_path / "out" / "grey.png") as grey:
        assert grey.mode == "L" and grey.getpixel((3, 3)) == 90
    with Image.open(tmp_path / "out" / "cut.png") as cut:
        assert cut.getpixel((3, 3)) == (9, 99, 199, 60)


def test_camera_and_exposure_are_kept(tmp_path, run, write_photo):
    exif = piexif.dump(
        {
            "0th": {piexif.ImageIFD.Model: b"X100", piexif.ImageIFD.Orientation: 6},
            "Exif": {piexif.ExifIFD.FNumber: (2, 1), piexif.ExifIFD.MakerNote: b"own" * 40},
        }
    )
    for suffix in ("jpg", "png", "webp"):
        write_photo(tmp_path / "in" / f"a.{suffix}", exif=exif)
    run(tmp_path / "in")
    for suffix in ("jpg", "png", "webp"):
        with Image.open(tmp_path / "out" / f"a.{suffix}") as result:
            assert result.size == (40, 60), "turned upright"
            carried = piexif.load(result.info["exif"])
        assert carried["0th"][piexif.ImageIFD.Model] == b"X100"
        assert carried["0th"][piexif.ImageIFD.Orientation] == 1
        assert carried["Exif"][piexif.ExifIFD.MakerNote] == b"own" * 40


@pytest.mark.proves("Metadata that is damaged", "is left out with a warning")
@pytest.mark.proves("Metadata that is damaged", "the photo is retouched all the same")
def test_damaged_metadata_is_a_warning(tmp_path, run, write_photo):
    path = write_photo(tmp_path / "a.png", exif=b"Exif\x00\x00II*\x00\xff\xff\x00\x00")
    (outcome,) = run(path)
    assert outcome.status is Status.DONE and "EXIF" in outcome.warnings[0]


@pytest.mark.proves("Files in the way", "are left alone unless `--on-conflict` says otherwise")
def test_an_existing_file_is_skipped_unless_on_conflict_says_otherwise(tmp_path, run, write_photo):
    path = write_photo(tmp_path / "a.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.jpg").write_bytes(b"mine")
    (skipped,) = run(path)
    assert skipped.status is Status.SKIPPED
    assert (tmp_path / "out" / "a.jpg").read_bytes() == b"mine"
    (done,) = run(path, on_conflict="overwrite")
    assert done.status is Status.DONE
    assert (tmp_path / "out" / "a.jpg").read_bytes() != b"mine"


def test_a_result_that_is_not_finite_is_reported_and_not_written(
    tmp_path, run, write_photo, monkeypatch
):
    path = write_photo(tmp_path / "a.jpg")
    from enhance_cli.models.cenet import ColorMapping

    monkeypatch.setattr(ColorMapping, "residual", lambda _, photo: photo * float("nan"))
    (outcome,) = run(path)
    assert outcome.status is Status.FAILED and "not finite" in str(outcome.error)
    assert not list((tmp_path / "out").glob("[!.]*"))


def test_an_output_folder_that_cannot_be_created_is_an_error(tmp_path, run, write_photo):
    path = write_photo(tmp_path / "a.jpg")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="--out"):
        run(path, out=tmp_path / "file" / "below")


def test_coarse_only_needs_weights_with_cenet(tmp_path, run, write_photo):
    from enhance_cli.config.model import ModelConfig
    from enhance_cli.inference.weights import save_weights
    from enhance_cli.inference.weights_file import Provenance
    from enhance_cli.models.cascade import Cascade

    path, weights = write_photo(tmp_path / "a.jpg"), tmp_path / "prnl.safetensors"
    save_weights(weights, Cascade(ModelConfig("prnl")), Provenance())
    with pytest.raises(UsageError, match="no CENet"):
        run(path, weights=weights, coarse_only=True)


def test_a_changed_sidecar_redoes_its_photo(tmp_path, run, write_dng, write_photo):
    photos = tmp_path / "photos"
    for name in ("a", "b"):
        write_dng(photos / f"{name}.dng", np.full((40, 60, 3), 128, np.uint8))
    write_photo(photos / "c.jpg")
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<r:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{}"/>'
        "</r:RDF></x:xmpmeta>"
    )

    def done():
        return [one.input.name for one in run(photos) if one.status is Status.DONE]

    assert done() == ["a.dng", "b.dng", "c.jpg"]
    for name in ("a.xmp", "c.xmp", "c.jpg.xmp"):
        (photos / name).write_text(packet.format(3))
    assert done() == ["a.dng", "c.jpg"] and done() == []
    (photos / "c.xmp").unlink()  # not that of a JPEG
    (photos / "a.xmp").write_text(packet.format(5))
    assert done() == ["a.dng"]
    with Image.open(tmp_path / "out" / "a.jpg") as result:
        assert b'xmp:Rating="5"' in result.info["xmp"]
    (photos / "a.xmp").unlink()
    assert done() == ["a.dng"]


def test_a_second_run_processes_only_new_or_changed_photos(tmp_path, run, write_photo):
    photos = tmp_path / "photos"
    for name in ("a", "b", "c"):
        write_photo(photos / f"{name}.jpg")
    assert {one.status for one in run(photos)} == {Status.DONE}
    write_photo(photos / "b.jpg", size=(30, 20))
    write_photo(photos / "d.jpg")
    reasons = {one.input.name: str(one.reason) for one in run(photos)}
    assert reasons == {
        "a.jpg": "up to date",
        "b.jpg": "the photo has changed",
        "c.jpg": "up to date",
        "d.jpg": "new",
    }
    assert {str(one.reason) for one in run(photos, strength=0.5)} == {
        "settings, weights or sidecar have changed"
    }


@pytest.mark.proves("Format", "is kept, or as `--format` says")
def test_every_format_at_full_size(tmp_path, run, write_photo):
    path = write_photo(tmp_path / "a.jpg", size=(900, 600))
    for kind in ("jpg", "png", "tiff", "webp", "avif"):
        (outcome,) = run(path, format=kind, long_edge=None, out=tmp_path / kind)
        with Image.open(outcome.output) as result, Image.open(path) as original:
            assert result.size == (900, 600) and outcome.output.suffix in {".jpg", f".{kind}"}
            difference = np.asarray(result.convert("RGB"), float) - np.asarray(original)
        assert np.abs(difference).mean() < 1.5


def test_metadata_that_cannot_be_written_is_a_warning(tmp_path, run, write_photo, monkeypatch):
    def broken(*_):
        raise struct.error("argument out of range")

    monkeypatch.setattr("enhance_cli.imaging.codecs.tiff.write._append", broken)
    exif = piexif.dump({"0th": {271: b"Maker"}, "Exif": {33434: (1, 250)}})
    path = write_photo(tmp_path / "a.jpg", exif=exif)
    real = encode.WRITERS[".tiff"]

    def mended_without_metadata(*arguments):
        if arguments[-1] == NO_METADATA:
            monkeypatch.undo()
        return real(*arguments)

    monkeypatch.setitem(encode.WRITERS, ".tiff", mended_without_metadata)
    (outcome,) = run(path, format="tiff")
    assert outcome.status is Status.DONE and "metadata cannot be written" in outcome.warnings[0]
    assert (tmp_path / "out" / "a.tiff").stat().st_size


def test_a_bug_in_enhance_fails_one_photo_only(tmp_path, run, write_photo, monkeypatch):
    for name in "abc":
        write_photo(tmp_path / "in" / f"{name}.jpg")
    real = process_photo.decode

    def faulty(path, *rest):
        return {}["key\nof two lines"] if path.name == "b.jpg" else real(path, *rest)

    monkeypatch.setattr(process_photo, "decode", faulty)
    outcomes = run(tmp_path / "in")
    assert [one.status for one in outcomes] == [Status.DONE, Status.FAILED, Status.DONE]
    assert "KeyError" in outcomes[1].error and "please report" in outcomes[1].error
    assert "\n" not in outcomes[1].error


def test_no_result_gets_the_name_of_another_photo(tmp_path, identity_weights, write_photo):
    """Sixty colors and sizes side by side: small photos are finished before larger ones."""
    draw = np.random.default_rng(0)
    colors = {f"{number:02d}": draw.integers(20, 236, 3) for number in range(60)}
    for name, color in colors.items():
        side = int(draw.choice([8, 40, 1200]))
        pixels = np.broadcast_to(color.astype(np.uint8), (side, side // 2, 3))
        write_photo(tmp_path / "in" / f"{name}.png", pixels)
    config = ApplyConfig((tmp_path / "in",), tmp_path / "out", weights=identity_weights)
    outcomes = list(BatchRunner(config))
    assert [one.input.stem for one in outcomes] == sorted(colors)
    assert all(one.output is not None and one.output.stem == one.input.stem for one in outcomes)
    for name, color in colors.items():
        with Image.open(tmp_path / "out" / f"{name}.png") as result:
            assert result.getpixel((1, 1)) == pytest.approx(color, abs=1)
    for line in (tmp_path / "out" / manifest.NAME).read_text().splitlines():
        record = json.loads(line)
        assert Path(record["input"]).stem == Path(record["output"]).stem


def test_a_warning_of_the_networks_is_reported_with_its_own_photo(
    tmp_path, run, write_photo, monkeypatch
):
    """Here the second photo's networks are done before the first photo's."""
    predict, second_done = Enhancer.predict, threading.Event()

    def predict_with_warning(self, photo, coarse_only):
        retouch = predict(self, photo, coarse_only)
        if photo.size.width == 20:
            self.warnings.append("out of memory")
            second_done.set()
            return replace(retouch, warnings=("out of memory",))
        second_done.wait(2)
        return retouch

    monkeypatch.setattr(Enhancer, "predict", predict_with_warning)
    for name, width in (("a", 10), ("b", 20), ("c", 30)):
        write_photo(tmp_path / "in" / f"{name}.png", size=(width, 8))
    warnings = {one.input.stem: one.warnings for one in run(tmp_path / "in")}
    assert warnings == {"a": (), "b": ("out of memory",), "c": ()}


class TestIteration:
    """A runner is an object that may be asked again."""

    @pytest.fixture
    def runner(self, tmp_path, identity_weights, write_photo):
        for number in range(6):
            write_photo(tmp_path / "in" / f"{number}.jpg")
        config = ApplyConfig(
            (tmp_path / "in",), tmp_path / "out", weights=identity_weights, device="cpu",
            on_conflict="overwrite",
        )  # fmt: skip
        return BatchRunner(config)

    def test_twice(self, runner):
        for _ in range(2):
            assert [one.status for one in runner] == [Status.DONE] * 6

    def test_again_after_it_was_left(self, runner):
        for _ in runner:
            break
        assert [one.status for one in runner] == [Status.DONE] * 6

    def test_not_within_itself(self, runner):
        outcomes = iter(runner)
        next(outcomes)
        with pytest.raises(UsageError, match="being iterated already"):
            list(runner)
        assert len(list(outcomes)) == 5 and len(list(runner)) == 6


def test_a_run_that_is_over_leaves_no_networks_in_memory(tmp_path, write_photo, identity_weights):
    photo = write_photo(tmp_path / "photos" / "a.jpg")
    networks = []
    for number in range(3):
        config = ApplyConfig(
            (photo,), tmp_path / str(number), weights=identity_weights, device="cpu"
        )
        runner = BatchRunner(config)
        list(runner)
        networks.append(weakref.ref(runner._batch.enhancer.result()))
        del runner
    gc.collect()
    assert [one() for one in networks] == [None] * 3
