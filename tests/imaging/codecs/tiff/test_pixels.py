"""Kinds of pixels in TIFF files. Expected values: TIFF 6.0, closed forms, ImageMagick, skimage."""

import shutil
import struct
import subprocess

import imagecodecs
import numpy as np
import pytest
import tifffile
from pictures import smooth
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo

COLOR = smooth(60, 40)
GREY = np.tile(np.arange(240, dtype=np.uint8), (40, 1))
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}
"""How a file stores an upright picture under each orientation (TIFF 6.0, section 8)."""


def srgb(linear):
    """The curve of sRGB (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.fixture
def write(tmp_path):
    def write(pixels, **options):
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, np.ascontiguousarray(pixels), metadata=None, **options)
        return path

    return write


def with_tags(path, **values):
    """Overwrite tags of a TIFF, by tifffile."""
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for name, value in values.items():
            tiff.pages.first.tags[name].overwrite(value)
    return path


class TestGrey:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
    @pytest.mark.parametrize("kind", ["minisblack", "minisblack-inverted"])
    def test_levels_are_kept(self, write, dtype, kind):
        step = np.iinfo(dtype).max // 255
        stored = (GREY if kind == "minisblack" else 255 - GREY).astype(dtype) * dtype(step)
        photometric = "minisblack" if kind == "minisblack" else "miniswhite"
        photo = decode(write(stored, photometric=photometric))
        assert photo.grey and photo.pixels.dtype == (np.uint8 if dtype is np.uint8 else np.uint16)
        np.testing.assert_allclose(photo.as_srgb()[..., 0], GREY / 255, atol=1e-4)

    @pytest.mark.parametrize("bits", [1, 2, 4, 10, 12, 14])
    def test_other_depths_fill_the_range(self, tmp_path, bits):
        white = 2**bits - 1
        levels = np.tile(np.linspace(0, white, 240).round().astype(np.uint16), (40, 1))
        path = tmp_path / "a.tif"
        each_bit = np.unpackbits(levels.astype(">u2")[..., None].view(np.uint8), axis=-1)
        rows = np.packbits(each_bit[..., 16 - bits :].reshape(40, -1), axis=1)
        tifffile.imwrite(path, rows.reshape(1, -1), rowsperstrip=1, metadata=None)
        with_tags(path, ImageWidth=240, ImageLength=40, BitsPerSample=bits, RowsPerStrip=40)
        photo = decode(path)
        assert photo.size == (240, 40) and photo.grey
        np.testing.assert_allclose(photo.as_srgb()[..., 1], levels / white, atol=1e-4)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("gamma", [1.0, 1.8])
    @pytest.mark.parametrize("space", ["gray", "rgb"])
    def test_the_profile_is_honoured(self, write, dtype, gamma, space):
        profile = imagecodecs.cms_profile(space, gamma=gamma, **PROFILE[space])
        white = np.iinfo(dtype).max
        stored = GREY.astype(dtype) * dtype(white // 255)
        photo = decode(write(stored, photometric="minisblack", iccprofile=profile))
        assert photo.warnings == () and photo.color_space.is_srgb
        expected = srgb((GREY / 255) ** gamma)
        assert np.abs(photo.as_srgb()[..., 0] - expected).max() < 0.6 / 255


PROFILE = {
    "gray": {"whitepoint": [0.3127, 0.3290, 1.0]},
    "rgb": {
        "whitepoint": [0.3127, 0.3290, 1.0],
        "primaries": [0.64, 0.33, 1.0, 0.21, 0.71, 1.0, 0.15, 0.06, 1.0],
    },
}


class TestFloats:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    @pytest.mark.parametrize("predictor", [False, True])
    def test_numbers_from_0_to_1_are_levels(self, write, dtype, predictor):
        options = {"compression": "zlib", "predictor": True} if predictor else {}
        photo = decode(write((COLOR / 255).astype(dtype), photometric="rgb", **options))
        assert photo.pixels.dtype == np.uint16
        np.testing.assert_allclose(photo.as_srgb(), COLOR / 255, atol=5e-4)

    def test_highlights_are_clipped(self, write):
        bright = (COLOR / 255).astype(np.float32)
        bright[0, 0] = 7.0
        bright[0, 1] = np.nan
        photo = decode(write(bright, photometric="rgb"))
        assert (photo.pixels[0, 0] == 65535).all() and (photo.pixels[0, 1] == 0).all()

    def test_numbers_that_cannot_be_levels_are_refused(self, write):
        with pytest.raises(PhotoError, match="larger than 1"):
            decode(write(COLOR.astype(np.float32), photometric="rgb"))


class TestOpacity:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", ["grey", "rgb"])
    @pytest.mark.parametrize("planar", ["contig", "separate"])
    def test_premultiplied_colors_are_divided(self, write, dtype, channels, planar):
        step = np.iinfo(dtype).max // 255
        color = (COLOR[..., :1] if channels == "grey" else COLOR).astype(np.float64)
        alpha = np.linspace(0.3, 1, 60)[None, :, None] * np.ones((40, 60, 1))
        stored = np.concatenate([color * alpha, alpha * 255], 2) * step
        if planar == "separate":
            stored = np.moveaxis(stored, 2, 0)
        path = write(
            stored.round().astype(dtype),
            photometric="minisblack" if channels == "grey" else "rgb",
            extrasamples=["assocalpha"],
            planarconfig=planar,
        )
        photo = decode(path)
        assert photo.alpha is not None
        assert np.abs(photo.alpha / step - alpha[..., 0] * 255).max() <= 0.51
        assert np.abs(photo.pixels / step - color).max() < (4 if dtype is np.uint8 else 0.02)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_infrared_is_no_opacity(self, write, dtype):
        infrared = np.full((40, 60, 1), 40, np.uint8)
        stored = np.concatenate([COLOR, infrared], 2).astype(dtype)
        photo = decode(write(stored, photometric="rgb", extrasamples=["unspecified"]))
        assert photo.alpha is None and "left out" in photo.warnings[0]
        np.testing.assert_array_equal(photo.pixels, COLOR)

    def test_opacity_behind_another_channel_is_found(self, write):
        more = np.stack([np.full((40, 60), 40, np.uint8), np.full((40, 60), 128, np.uint8)], 2)
        stored = np.concatenate([COLOR, more], 2)
        photo = decode(write(stored, photometric="rgb", extrasamples=["unspecified", "unassalpha"]))
        assert photo.alpha is not None and (photo.alpha == 128).all()

    def test_colors_under_transparent_pixels_do_not_bleed(self, write):
        stored = np.zeros((40, 60, 4), np.uint16)
        stored[:, :31] = [40_000, 30_000, 20_000, 65_535]
        photo = decode(write(stored, photometric="rgb", extrasamples=["unassalpha"]), 20)
        assert photo.alpha is not None
        seen = photo.alpha > 6000
        assert np.abs(photo.pixels[seen] / [40_000, 30_000, 20_000] - 1).max() < 0.07


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("kind", ["grey", "rgba", "palette", "cmyk", "ycbcr"])
def test_every_kind_is_turned(tmp_path, write, kind, compression, orientation):
    tags = [(274, "H", 1, orientation, True)]
    options = {"extratags": tags, "compression": compression}
    if kind == "ycbcr":
        path = tmp_path / "a.tif"
        image = Image.fromarray(np.ascontiguousarray(STORED[orientation](COLOR))).convert("YCbCr")
        name = compression and f"tiff_{compression}"
        image.save(path, compression=name, tiffinfo={274: orientation})
        expected = COLOR
    else:
        expected, stored, more = PICTURES[kind]
        path = write(STORED[orientation](stored), **more, **options)
    photo = decode(path)
    assert photo.size == (60, 40)
    assert np.abs(photo.pixels.astype(int) - expected).max() <= 4
    if kind == "rgba":
        np.testing.assert_array_equal(photo.alpha, COLOR[..., 1])


INDEXES = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)
MAP = np.stack([np.arange(256), np.arange(256)[::-1], np.full(256, 90)]).astype(np.uint16)
CMYK = np.concatenate([255 - COLOR, np.zeros((40, 60, 1), np.uint8)], 2)
PICTURES = {
    "grey": (COLOR[..., :1].repeat(3, 2), COLOR[..., 0], {"photometric": "minisblack"}),
    "rgba": (
        COLOR,
        np.concatenate([COLOR, COLOR[..., 1:2]], 2),
        {"photometric": "rgb", "extrasamples": ["unassalpha"]},
    ),
    "palette": (MAP.T[INDEXES], INDEXES, {"photometric": "palette", "colormap": MAP * 257}),
    "cmyk": (COLOR, CMYK, {"photometric": "separated"}),
}
"""What is seen, what is stored, and the options of tifffile for it."""


@pytest.mark.parametrize(
    "orientation",
    [("b", 1, 6), ("h", 1, 6), ("I", 1, 6), ("H", 2, (6, 6)), ("B", 1, 6)],
    ids=["SBYTE", "SSHORT", "LONG", "twice", "BYTE"],
)
def test_an_orientation_of_any_type_is_applied_and_reset(write, orientation):
    path = write(np.rot90(COLOR), photometric="rgb", extratags=[(274, *orientation, True)])
    assert decode(path).size == (60, 40)


@pytest.mark.parametrize("scale", [1, 257])
def test_palettes_of_eight_and_sixteen_bits(write, scale):
    photo = decode(write(INDEXES, photometric="palette", colormap=MAP * scale))
    np.testing.assert_array_equal(photo.pixels, MAP.T[INDEXES])


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palettes_of_few_colors(tmp_path, bits):
    """TIFF 6.0, section 5, for 16 x 2 pixels."""
    indexes = np.random.default_rng(0).integers(0, 2**bits, (2, 16))
    rows = b"".join(np.packbits(_bits_of(row, bits)).tobytes() for row in indexes)
    palette = np.random.default_rng(1).integers(0, 256, (3, 2**bits))
    tags = [
        (256, 3, 1, 16),
        (257, 3, 1, 2),
        (258, 3, 1, bits),
        (259, 3, 1, 1),
        (262, 3, 1, 3),  # a palette
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 3, 1, 2),
        (279, 4, 1, len(rows)),
        (320, 3, palette.size, 8 + len(rows)),
    ]
    colors = (palette * 257).astype("<u2").tobytes()
    head = struct.pack("<2sHI", b"II", 42, 8 + len(rows) + len(colors))
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    (tmp_path / "a.tif").write_bytes(head + rows + colors + directory + bytes(4))
    np.testing.assert_array_equal(decode(tmp_path / "a.tif").pixels, palette.T[indexes])


def _bits_of(row, bits):
    """The bits of each number, the highest first."""
    return (row[:, None] >> np.arange(bits)[::-1] & 1).ravel()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_cmyk_of_any_depth_and_layout(write, dtype, planar):
    stored = CMYK.astype(dtype) * dtype(np.iinfo(dtype).max // 255)
    if planar == "separate":
        stored = np.moveaxis(stored, 2, 0)
    photo = decode(write(stored, photometric="separated", planarconfig=planar))
    assert photo.pixels.dtype == dtype
    np.testing.assert_allclose(photo.as_srgb(), COLOR / 255, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["cielab", "icclab"])
def test_lab(write, dtype, kind):
    """The Lab of D50, to which sRGB is adapted; scikit-image's is of D65 in both directions."""
    colors = np.array([[[50, 0, 0], [80, 0, 0], [100, 0, 0]]], np.float32)
    grey = lab2rgb(colors)
    step = 1 if dtype is np.uint8 else 256
    lab = np.empty(colors.shape)
    lab[..., 0] = colors[..., 0] / 100 * (np.iinfo(dtype).max if kind == "cielab" else 255 * step)
    lab[..., 1:] = (colors[..., 1:] + (0 if kind == "cielab" else 128)) * step
    stored = lab.round().astype(dtype)
    photo = decode(write(stored, photometric=kind))
    np.testing.assert_allclose(photo.as_srgb(), grey, atol=0.004)
    assert rgb2lab(grey)[0, 1, 0] == pytest.approx(80, abs=0.01)


def test_the_signs_of_lab_are_those_of_colors(write):
    lab = np.array([[[54, 81, 70], [54, -60, 60], [30, 68, -112]]])  # red, green, blue of D50
    stored = np.concatenate([lab[..., :1] * 655.35, (lab[..., 1:] * 256) % 65536], 2)
    photo = decode(write(stored.round().astype(np.uint16), photometric="cielab"))
    assert photo.pixels.argmax(axis=2).tolist() == [[0, 1, 2]]
    assert photo.pixels[0, 0, 0] > 60_000 and photo.pixels[0, 0, 1:].max() < 12_000


@pytest.mark.skipif(shutil.which("convert") is None, reason="ImageMagick is not installed")
@pytest.mark.parametrize("options", [
    ["-colorspace", "YCbCr", "-compress", "none"],
    ["-colorspace", "YCbCr", "-compress", "lzw"],
    ["-compress", "jpeg", "-quality", "98"],
    ["-define", "tiff:alpha=associated", "-depth", "16"],
    ["-define", "quantum:format=floating-point", "-depth", "32"],
    ["-endian", "MSB", "-depth", "16", "-define", "tiff:tile-geometry=32x32"],
    ["-depth", "12"],
    ["-interlace", "plane", "-compress", "zip"],
], ids=" ".join)  # fmt: skip
def test_what_imagemagick_writes(tmp_path, options):
    Image.fromarray(COLOR).save(tmp_path / "a.png")
    for suffix in ("tif", "tiff64"):
        path = tmp_path / f"a-{suffix}.tif"
        command = ["convert", tmp_path / "a.png", *options, f"{suffix}:{path}"]
        subprocess.run(command, check=True)
        assert np.abs(decode(path).as_srgb() * 255 - COLOR).max() < 5


class TestRefused:
    def test_signed_numbers(self, write):
        with pytest.raises(PhotoError, match="signed"):
            decode(write(COLOR.astype(np.int16), photometric="rgb"))

    def test_other_inks(self, write):
        stored = np.zeros((4, 4, 4), np.uint8)
        tags = [(332, "H", 1, 2, True)]
        with pytest.raises(PhotoError, match="CMYK"):
            decode(write(stored, photometric="separated", extratags=tags))

    def test_raw_data(self, write):
        with pytest.raises(PhotoError, match=r"\.dng"):
            decode(write(np.zeros((4, 4), np.uint16), photometric="cfa"))

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_missing_strips(self, write, compression):
        noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
        path = write(noise, photometric="rgb", rowsperstrip=8, compression=compression)
        with tifffile.TiffFile(path, mode="r+b") as tiff:
            tag = tiff.pages.first.tags["StripByteCounts"]
            tag.overwrite((*tag.value[:2], 0, *tag.value[3:]))
        with pytest.raises(PhotoError, match="damaged"):
            decode(path)


def test_a_grey_photo_with_a_profile_is_stored_as_it_looks(write, tmp_path):
    profile = imagecodecs.cms_profile("gray", gamma=1.0, **PROFILE["gray"])
    stored = GREY.astype(np.uint16) * 257
    path = write(stored, photometric="minisblack", iccprofile=profile)
    write_photo(decode(path), tmp_path / "b.tif")
    written = tifffile.imread(tmp_path / "b.tif")
    assert np.abs(written / 65535 - srgb(GREY / 255)).max() < 1e-3
