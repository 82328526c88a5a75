"""Look-up tables, applied by other programs to the full-size originals."""

import shutil
import subprocess
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from skimage import data

from enhance_cli.batch.outcome import Status
from enhance_cli.batch.runner import TABLES_ARE_COARSE, BatchRunner
from enhance_cli.config.apply import HALD_SIZE, ApplyConfig
from enhance_cli.config.dials import Dials
from enhance_cli.config.model import ModelConfig
from enhance_cli.errors import UsageError
from enhance_cli.inference.weights import save_weights
from enhance_cli.inference.weights_file import Provenance
from enhance_cli.models.cascade import Cascade

PHOTOS = {"coffee": data.coffee, "astronaut": data.astronaut, "chelsea": data.chelsea}

MAGICK = shutil.which("magick") or shutil.which("convert")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Photos, their results at full size, and their tables in both formats."""
    folder = tmp_path_factory.mktemp("luts")
    (folder / "in").mkdir()
    for name, photo in PHOTOS.items():
        Image.fromarray(photo()).save(folder / "in" / f"{name}.png")
    grey = Image.fromarray(data.camera()).convert("RGB")
    grey.save(folder / "in" / "grey.png")
    common = {"inputs": (folder / "in",), "device": "cpu", "long_edge": None}
    run_all(ApplyConfig(out=folder / "out", lut=folder / "cube", strength=1.0, **common))
    run_all(
        ApplyConfig(
            out=folder / "hald",
            lut=folder / "hald",
            lut_format="hald",
            lut_size=HALD_SIZE,
            pictures=False,
            **common,
        )
    )
    return folder


def run_all(config):
    outcomes = list(BatchRunner(config))
    assert [outcome.status for outcome in outcomes] == [Status.DONE] * len(outcomes)
    return outcomes


def assert_same_picture(path, expected):
    """Half a level on average, and four where a table is furthest off.

    The file has 16 bits, since the programs truncate to 8 bits and do not round.
    """
    found = imagecodecs.png_decode(path.read_bytes())[..., :3]
    expected = np.asarray(Image.open(expected).convert("RGB"), float)
    difference = np.abs((found / 257).round() - expected)
    assert difference.mean() <= 0.5
    assert np.quantile(difference, 0.999) <= 4


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
@pytest.mark.parametrize("name", [*PHOTOS, "grey"])
@pytest.mark.proves("Look-up tables", "hold the whole retouch")
def test_ffmpeg_gives_the_full_size_result(results, name):
    # With 16 bits, since ffmpeg's own conversion from 8 bits makes white 65,280.
    pixels = np.asarray(Image.open(results / "in" / f"{name}.png"), np.uint16) * 257
    (results / f"{name}-16.png").write_bytes(imagecodecs.png_encode(pixels))
    filters = f"format=gbrp16le,lut3d=cube/{name}.png.cube:interp=tetrahedral"
    command = ["ffmpeg", "-loglevel", "error", "-i", f"{name}-16.png", "-vf", filters]
    subprocess.run([*command, "-pix_fmt", "rgb48be", f"{name}-ffmpeg.png"], cwd=results, check=True)
    assert_same_picture(results / f"{name}-ffmpeg.png", results / "out" / f"{name}.png")


@pytest.mark.skipif(not MAGICK, reason="ImageMagick is not installed")
@pytest.mark.parametrize("name", [*PHOTOS, "grey"])
@pytest.mark.proves("Look-up tables", "HaldCLUT")
def test_imagemagick_gives_the_full_size_result(results, name):
    table, found = f"hald/{name}.png.hald.png", f"{name}-magick.png"
    command = [str(MAGICK), f"in/{name}.png", table, "-hald-clut", "-depth", "16"]
    subprocess.run([*command, "-type", "TrueColor", found], cwd=results, check=True)
    assert_same_picture(results / found, results / "out" / f"{name}.png")


def test_without_pictures_the_tables_are_all_that_is_written(results):
    names = {path.name for path in (results / "hald").iterdir() if not path.name.startswith(".")}
    assert names == {f"{name}.png.hald.png" for name in [*PHOTOS, "grey"]}
    table = imagecodecs.png_decode((results / "hald" / "coffee.png.hald.png").read_bytes())
    assert table.dtype == np.uint16 and table.shape == (512, 512, 3)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.5])
def test_a_table_holds_the_strength(tmp_path, strength, write_photo):
    """The result of a photo that shows the grid points of its own table."""
    steps = np.linspace(0, 255, 16).astype(np.uint8)  # 17 levels apart: exact in 8 bits
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    write_photo(tmp_path / "a.png", np.stack([red, green, blue], -1).reshape(64, 64, 3))
    run_all(
        ApplyConfig(
            (tmp_path / "a.png",),
            tmp_path / "out",
            device="cpu",
            strength=strength,
            lut=tmp_path,
            lut_size=16,
        )
    )
    table = np.loadtxt(tmp_path / "a.png.cube", skiprows=4).reshape(64, 64, 3)
    result = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    assert np.abs(table.clip(0, 1) * 255 - result).max() <= 0.51


def test_a_second_run_writes_only_tables_of_another_size(results, tmp_path):
    config = ApplyConfig(
        (results / "in",), tmp_path, device="cpu", lut=tmp_path, lut_size=5, pictures=False
    )
    run_all(config)
    assert {outcome.status for outcome in BatchRunner(config)} == {Status.SKIPPED}
    larger = ApplyConfig(
        (results / "in",), tmp_path, device="cpu", lut=tmp_path, lut_size=6, pictures=False
    )
    run_all(larger)
    assert "LUT_3D_SIZE 6" in (tmp_path / "coffee.png.cube").read_text()


class TestOtherWeights:
    """Weights whose result is no function of color."""

    @pytest.fixture
    def weights(self, tmp_path):
        def save(variant, prnet="per-pixel"):
            path = tmp_path / f"{variant}-{prnet}.safetensors"
            model = Cascade(ModelConfig(variant, input_side=64, fit="squash", prnet=prnet))
            save_weights(path, model, Provenance())
            return path

        return save

    @pytest.mark.parametrize("variant", ["ce+pr", "ce+prnl"])
    def test_what_a_table_leaves_out_is_said(self, tmp_path, weights, variant):
        config = self.config(tmp_path, weights(variant))
        assert BatchRunner(config).plan.warnings == (TABLES_ARE_COARSE,)
        assert not BatchRunner(replace(config, coarse_only=True)).plan.warnings
        assert not BatchRunner(replace(config, lut=None, pictures=True)).plan.warnings

    @pytest.mark.parametrize(("variant", "prnet"), [("ce", "per-pixel"), ("ce+prnl", "global")])
    def test_nothing_is_said_of_a_whole_table(self, tmp_path, weights, variant, prnet):
        assert not BatchRunner(self.config(tmp_path, weights(variant, prnet))).plan.warnings

    @pytest.mark.parametrize("variant", ["pr", "prnl"])
    def test_tables_need_cenet_or_a_global_prnet(self, tmp_path, weights, variant):
        with pytest.raises(UsageError, match="--lut"):
            BatchRunner(self.config(tmp_path, weights(variant)))
        run_all(self.config(tmp_path, weights(variant, "global")))
        lines = (tmp_path / "luts" / "a.png.cube").read_text().splitlines()
        assert lines[4] == "0.000000 0.000000 0.000000", "an untrained network changes nothing"

    def config(self, folder, weights):
        Image.fromarray(data.coffee()[::4, ::4]).save(folder / "a.png")
        luts = folder / "luts"
        return ApplyConfig(
            (folder / "a.png",), luts, weights=weights, device="cpu", lut=luts, pictures=False
        )


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_a_table_holds_the_dials(tmp_path, strength, write_photo):
    """The result of a photo that shows the grid points of its own table."""
    steps = np.linspace(0, 255, 16).astype(np.uint8)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    write_photo(tmp_path / "a.png", np.stack([red, green, blue], -1).reshape(64, 64, 3))
    dials = Dials(exposure=-0.7, warmth=20, tint=-9, contrast=30, saturation=-20)
    places = {"out": tmp_path / "out", "lut": tmp_path, "lut_size": 16}
    run_all(
        ApplyConfig((tmp_path / "a.png",), device="cpu", strength=strength, dials=dials, **places)
    )
    table = np.loadtxt(tmp_path / "a.png.cube", skiprows=4).reshape(64, 64, 3)
    result = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    assert np.abs(table.clip(0, 1) * 255 - result).max() <= 0.51


def test_the_cube_file_holds_the_retouch_at_the_given_strength(tmp_path, run, write_photo):
    write_photo(tmp_path / "in" / "day 1" / "a.png")
    run(tmp_path / "in", lut=tmp_path / "luts", strength=0.5)
    lines = (tmp_path / "luts" / "day 1" / "a.png.cube").read_text().splitlines()
    assert lines[4] == "0.050000 0.050000 0.050000", "half of the 0.1 that the weights add"
    assert lines[-1] == "1.000000 1.000000 1.000000", "a result above white is white"
