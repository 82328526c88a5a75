import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import tifffile
from pictures import smooth
from PIL import Image

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.open_image import open_image
from tests.imaging.damage import png_bomb

READ = {"JPEG": "RGB", "MPO": "RGB", "PNG": "RGB", "TIFF": "RGB", "WEBP": "RGB", "AVIF": "RGB"}
OTHERS = {
    "BMP": "RGB", "DDS": "RGB", "DIB": "RGB", "EPS": "RGB", "GIF": "P", "ICNS": "RGBA",
    "ICO": "RGBA", "MSP": "1", "PCX": "RGB", "PDF": "RGB", "PPM": "RGB",
    "QOI": "RGB", "SGI": "RGB", "SPIDER": "F", "TGA": "RGB", "XBM": "1",
}  # fmt: skip
FORMATS = READ | OTHERS
"""Formats that Pillow writes itself, each with a mode that it can hold."""


def written(folder: Path, name: str) -> Path:
    """An image of 64 x 64 pixels, whose suffix does not name its format."""
    path = folder / "photo.dat"
    options = {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]}
    image = Image.fromarray(smooth(64, 64)).convert(FORMATS[name])
    image.save(path, name, **(options if name == "MPO" else {}))
    return path


@pytest.mark.parametrize("name", READ)
def test_what_pillow_identifies_is_identified(tmp_path, name):
    path = written(tmp_path, name)
    with Image.open(path) as expected, open_image(path) as image:
        assert isinstance(image, type(expected))
        assert (image.format, image.mode, image.size) == (
            expected.format,
            expected.mode,
            expected.size,
        )
        assert image.info == expected.info and image.filename == expected.filename
        np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))


NAMES = {
    "BMP": "BMP", "DDS": "DDS", "EPS": "PostScript", "GIF": "GIF", "ICNS": "ICNS", "ICO": "ICO",
    "PDF": "PDF", "PPM": "Netpbm", "QOI": "QOI",
}  # fmt: skip
"""What messages call the formats that are not read."""


@pytest.mark.parametrize("name", OTHERS)
def test_formats_that_are_not_photos_are_left_to_other_programs(tmp_path, name, monkeypatch):
    """Whatever the suffix says. To open an EPS, Pillow starts Ghostscript."""
    for start in ("run", "Popen", "check_call"):
        monkeypatch.setattr(subprocess, start, None)
    path = written(tmp_path, name).rename(tmp_path / "photo.jpg")
    with pytest.raises(PhotoError, match=NAMES.get(name, "not a photo")):
        decode(path)


RUBBISH = {
    "empty": b"",
    "one byte": b"\n",
    "text": b"shopping: film, batteries\n" * 40,
    "zeros": bytes(5000),
    "noise": np.random.default_rng(0).bytes(5000),
    "signature of a PNG": b"\x89PNG\r\n\x1a\n",
    "signature of a TIFF": b"II*\0",
    "signature of HEIC": b"\0\0\0\x18ftypheic" + bytes(100),
}


@pytest.mark.parametrize("content", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_is_not_identified(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(Image.UnidentifiedImageError), Image.open(path):
        pass
    with pytest.raises(Image.UnidentifiedImageError, match=r"photo\.jpg"), open_image(path):
        pass


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_file_cut_anywhere_in_its_header_is_identified_as_pillow_does(tmp_path, name):
    content = written(tmp_path, name).read_bytes()
    path = tmp_path / "cut.dat"
    for end in [*range(40), 64, 128, 256, 512]:
        path.write_bytes(content[:end])
        outcomes = []
        for opened in (Image.open, open_image):
            try:
                with opened(path) as image:
                    outcomes.append((image.format, image.size))
            except Exception as problem:
                outcomes.append((type(problem), str(problem)))
        assert outcomes[0] == outcomes[1], f"the first {end} bytes"


def test_the_file_is_closed_at_the_end(tmp_path):
    path = written(tmp_path, "TIFF")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with open_image(path) as image:
            file = image.fp
        assert file is not None and file.closed


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError), open_image(tmp_path / "gone.jpg"):
        pass


class TestLargeFiles:
    """Pillow's own limit, which stays on, must not stop a photo.

    WebP is not among them: its reader checks the limit as well, but a WebP has at most 268
    megapixels, and the check fails from 358 onward.
    """

    @pytest.fixture
    def low_limit(self, monkeypatch):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield

    @pytest.mark.usefixtures("low_limit")
    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".avif", ".heic"])
    @pytest.mark.parametrize("long_edge", [None, 20])
    def test_no_format_is_held_to_the_limit(self, tmp_path, suffix, long_edge):
        path = tmp_path / f"a{suffix}"
        image = Image.fromarray(smooth(60, 40))
        if suffix == ".heic":
            pillow_heif.from_pillow(image).save(path)
        else:
            image.save(path)
        if suffix != ".heic":
            with pytest.raises(Image.DecompressionBombError):
                Image.open(path)
        assert decode(path, long_edge).size == ((60, 40) if long_edge is None else (20, 13))

    @pytest.mark.usefixtures("low_limit")
    @pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
    @pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK"])
    def test_nor_is_any_kind_of_tiff(self, tmp_path, mode, compression):
        path = tmp_path / "a.tif"
        Image.fromarray(smooth(60, 40)).convert(mode).save(path, compression=compression)
        assert decode(path).size == (60, 40)

    def test_a_png_of_more_than_179_megapixels_is_read(self, tmp_path):
        path = tmp_path / "panorama.png"
        path.write_bytes(png_bomb(13_400))
        with pytest.raises(Image.DecompressionBombError):
            Image.open(path)
        assert decode(path, 100).size == (100, 100)

    def test_a_tiff_of_more_than_358_megapixels_is_read(self, tmp_path):
        """Twice Pillow's limit: its TIFF reader checks it a second time and fails there."""
        path = tmp_path / "panorama.tif"
        black = np.zeros((18_944, 18_944), bool)
        tifffile.imwrite(path, black, compression="deflate", rowsperstrip=1024)
        assert path.stat().st_size < 200_000
        with pytest.raises(Image.DecompressionBombError):
            Image.open(path)
        assert decode(path, 100).size == (100, 100)

    def test_the_users_own_limit_holds(self, tmp_path):
        path = tmp_path / "panorama.png"
        path.write_bytes(png_bomb(13_400))
        with pytest.raises(PhotoError, match="the limit is 179,000,000"):
            decode(path, 100, 179_000_000)


STATE = """
import json, logging, sys, warnings
from pathlib import Path
from PIL import Image

def state():
    registries = (Image.ID, Image.OPEN, Image.MIME, Image.SAVE, Image.SAVE_ALL, Image.EXTENSION)
    return {
        "limit": Image.MAX_IMAGE_PIXELS,
        "registries": [sorted(registry) for registry in registries],
        "readers": {name: repr(reader) for name, reader in Image.OPEN.items()},
        "filters": [str(entry) for entry in warnings.filters],
        "loggers": {name: logging.getLogger(name).level for name in ("", "PIL", "tifffile")},
        "handlers": [repr(handler) for handler in logging.getLogger().handlers],
        "heif": {name: getattr(pillow_heif.options, name) for name in vars(pillow_heif.options)
                 if name.isupper()},
    }

# Whatever other packages change when they are imported is not ours.
import imagecodecs, numba, piexif, pillow_heif, rawpy, skimage.color, skimage.metrics, tifffile
import torch
Image.init()
states = [state()]
import enhance_cli.imaging.codecs.decode, enhance_cli.imaging.preview
states.append(state())
for path in sys.argv[1:]:
    for long_edge in (None, 20):
        enhance_cli.imaging.codecs.decode.decode(Path(path), long_edge)
states.append(state())
print(json.dumps(states))
"""


def test_importing_and_decoding_change_nothing_in_other_libraries(tmp_path, write_dng):
    image = Image.fromarray(smooth(60, 40))
    for suffix in ("jpg", "png", "tif", "webp", "avif"):
        image.save(tmp_path / f"a.{suffix}")
    pillow_heif.from_pillow(image).save(tmp_path / "a.heic")
    write_dng(tmp_path / "a.dng", smooth(60, 40))
    command = [sys.executable, "-c", STATE, *map(str, sorted(tmp_path.iterdir()))]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    before, imported, decoded = json.loads(ran.stdout)
    assert before == imported == decoded
    assert before["limit"] == 89_478_485, "Pillow's own"
    assert "HEIF" not in before["readers"] and ".heic" not in before["registries"][-1]
    assert ran.stderr == ""
