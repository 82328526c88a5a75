"""JPEG 2000 files that opj_compress writes, the tool of OpenJPEG, and metadata by ExifTool."""

import shutil
import struct
import subprocess

import imagecodecs
import numpy as np
import pytest
from pictures import smooth
from PIL import Image

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode

COLOR = smooth(60, 40)


def opj(folder, *options, pixels=COLOR, suffix="jp2"):
    if shutil.which("opj_compress") is None:
        pytest.skip("opj_compress is not installed")
    original, path = folder / "a.png", folder / f"a.{suffix}"
    original.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
    command = ["opj_compress", "-i", original, "-o", path, *options]
    subprocess.run(command, check=True, capture_output=True)
    return path


def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def with_header_box(path, old, *new):
    """Replace a box of the header, found by its beginning, by others."""
    content = path.read_bytes()
    start = content.index(b"jp2h") - 4
    end = start + int.from_bytes(content[start : start + 4])
    at = content.index(old, start) - 4
    behind = at + int.from_bytes(content[at : at + 4])
    body = content[start + 8 : at] + b"".join(new) + content[behind:end]
    path.write_bytes(content[:start] + box(b"jp2h", body) + content[end:])
    return path


@pytest.mark.parametrize("suffix", ["jp2", "j2k", "jpc"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_it_is_read_without_loss(tmp_path, suffix, dtype):
    pixels = COLOR.astype(dtype) * (1 if dtype == np.uint8 else 257)
    written = "j2k" if suffix == "jpc" else suffix
    path = opj(tmp_path, pixels=pixels, suffix=written).rename(tmp_path / f"b.{suffix}")
    photo = decode(path)
    assert photo.warnings == ()
    np.testing.assert_array_equal(photo.pixels, pixels)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_grey_and_opacity(tmp_path, channels):
    pixels = np.dstack([COLOR, COLOR[..., :1]])[..., -channels:]
    photo = decode(opj(tmp_path, pixels=pixels if channels > 1 else pixels[..., 0]))
    assert photo.grey == (channels < 3) and (photo.alpha is not None) == (channels != 1)
    np.testing.assert_array_equal(photo.pixels[..., 0], pixels[..., 0])
    if photo.alpha is not None:
        np.testing.assert_array_equal(photo.alpha, pixels[..., -1])


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.proves("Depth", "deep JPEG XL and JPEG 2000")
def test_more_than_eight_bits_are_kept(tmp_path, bits):
    white = 2**bits - 1
    levels = (COLOR / 255 * white).round().astype(np.uint16)
    path = tmp_path / "a.jp2"
    path.write_bytes(imagecodecs.jpeg2k_encode(levels, bitspersample=bits, reversible=True))
    photo = decode(path)
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.as_floats() - levels / white).max() < 1e-5


@pytest.mark.parametrize("sampling", ["1x1:1x1:1x1", "1x1:2x1:2x1", "1x1:2x2:2x2"])
def test_ycc_of_any_subsampling(tmp_path, sampling):
    """As a JPEG has it (Pillow converts), with each component in a plane of its own."""
    if shutil.which("opj_compress") is None:
        pytest.skip("opj_compress is not installed")
    across, down = map(int, sampling.split(":")[1].split("x"))
    ycc = np.asarray(Image.fromarray(COLOR).convert("YCbCr"))
    planes = [ycc[..., 0], ycc[::down, ::across, 1], ycc[::down, ::across, 2]]
    (tmp_path / "a.raw").write_bytes(b"".join(plane.tobytes() for plane in planes))
    path = tmp_path / "a.jp2"
    command = ["opj_compress", "-i", tmp_path / "a.raw", "-o", path, "-mct", "0"]
    command += ["-F", f"60,40,3,8,u@{sampling}"]
    subprocess.run(command, check=True, capture_output=True)
    content = path.read_bytes()
    at = content.index(b"colr\1\0\0") + 7
    path.write_bytes(content[:at] + struct.pack(">I", 18) + content[at + 4 :])
    photo = decode(path)
    assert photo.size == (60, 40)
    assert np.abs(photo.pixels.astype(int) - COLOR).mean() < 3


@pytest.mark.parametrize("method", [2, 3])
def test_its_profile_is_kept(tmp_path, method):
    profile = imagecodecs.cms_profile("adobergb")
    path = with_header_box(opj(tmp_path), b"colr", box(b"colr", bytes((method, 0, 0)) + profile))
    photo = decode(path)
    assert photo.color_space.profile == profile
    np.testing.assert_array_equal(photo.pixels, COLOR)


def test_inks(tmp_path):
    """100 % cyan, and 50 % black alone: no profile is there that says more."""
    inks = np.zeros((40, 60, 4), np.uint8)
    inks[:, :30, 0], inks[:, 30:, 3] = 255, 128
    path = opj(tmp_path, "-mct", "0", pixels=inks)
    with_header_box(path, b"colr", box(b"colr", b"\1\0\0" + struct.pack(">I", 12)))
    with_header_box(path, b"cdef", box(b"cdef", _INKS))
    photo = decode(path)
    assert photo.alpha is None
    np.testing.assert_array_equal(photo.pixels[20, 10], (0, 255, 255))
    assert np.abs(photo.pixels[20, 50].astype(int) - 127).max() <= 1


_INKS = struct.pack(">H12H", 4, 0, 0, 1, 1, 0, 2, 2, 0, 3, 3, 0, 4)


def test_a_palette(tmp_path):
    colors = np.random.default_rng(0).integers(0, 256, (64, 3)).astype(np.uint8)
    indices = np.arange(60 * 40, dtype=np.uint8).reshape(40, 60) % 64
    path = opj(tmp_path, pixels=indices)
    palette = struct.pack(">HB3B", 64, 3, 7, 7, 7) + colors.tobytes()
    mapping = b"".join(struct.pack(">HBB", 0, 1, column) for column in range(3))
    color = box(b"colr", b"\1\0\0" + struct.pack(">I", 16))
    path = with_header_box(path, b"colr", color, box(b"pclr", palette), box(b"cmap", mapping))
    np.testing.assert_array_equal(decode(path).pixels, colors[indices])


def test_premultiplied_colors_are_divided(tmp_path):
    pixels = np.full((16, 16, 4), (50, 25, 10, 128), np.uint8)
    path = opj(tmp_path, "-n", "3", pixels=pixels)
    definition = struct.pack(">H12H", 4, 0, 0, 1, 1, 0, 2, 2, 0, 3, 3, 2, 0)
    photo = decode(with_header_box(path, b"cdef", box(b"cdef", definition)))
    assert np.abs(photo.pixels[8, 8] - np.array([100, 50, 20])).max() <= 1


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="ExifTool is not installed")
def test_metadata_and_orientation(tmp_path):
    path = opj(tmp_path)
    tags = ["-EXIF:Make=Maker", "-EXIF:Orientation#=6", "-XMP-dc:Title=River", "-IPTC:City=Ulm"]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *tags, path], check=True)
    photo = decode(path)
    np.testing.assert_array_equal(photo.pixels, np.rot90(COLOR, -1))
    metadata = photo.metadata
    assert b"Maker" in metadata.exif and b"River" in metadata.xmp and b"Ulm" in metadata.iptc


def test_color_spaces_that_are_not_read_are_named(tmp_path):
    path = with_header_box(opj(tmp_path), b"colr", box(b"colr", b"\1\0\0" + struct.pack(">I", 14)))
    with pytest.raises(PhotoError, match="colour space 14; save it as sRGB"):
        decode(path)


@pytest.mark.parametrize("suffix", ["jp2", "j2k"])
@pytest.mark.parametrize("missing", [1, 2, 100, 0.5])
def test_a_file_that_is_cut_short_is_refused(tmp_path, suffix, missing):
    path = opj(tmp_path, suffix=suffix)
    content = path.read_bytes()
    path.write_bytes(content[: -int(missing if missing >= 1 else len(content) * missing)])
    with pytest.raises(PhotoError, match="damaged"):
        decode(path)


def test_more_pixels_than_the_limit_are_refused_before_they_are_read(tmp_path):
    path = opj(tmp_path, suffix="j2k")
    content = bytearray(path.read_bytes())
    content[8:16] = struct.pack(">II", 2**31, 2**31)
    path.write_bytes(content)
    with pytest.raises(PhotoError, match="2147483648 x 2147483648 pixels, the limit is"):
        decode(path)


@pytest.mark.parametrize("kinds", [["resc"], ["resd"], ["resc", "resd"]])
@pytest.mark.parametrize(("down", "across", "dpi"), [
    ((11811, 1, 0), (11811, 1, 0), (300, 300)),
    ((11811, 1, 0), (23622, 1, 0), (600, 300)),
    ((23622, 1000, 3), (11811, 100, 2), (300, 600)),
    ((1, 1, 4), (2, 1, 4), (508, 254)),
    ((1, 1, 4), (3, 0, 0), None),
    ((1, 1, 120), (1, 1, 120), None),
])  # fmt: skip
def test_the_resolution_is_kept(tmp_path, kinds, down, across, dpi):
    """ISO/IEC 15444-1, I.5.3.7: dots per meter, the vertical ones first."""
    path = opj(tmp_path)
    numbers = struct.pack(">HHHHbb", *down[:2], *across[:2], down[2], across[2])
    other = struct.pack(">HHHHbb", 1, 1, 1, 1, 4, 4)
    stated = [box(kind.encode(), numbers if kind == kinds[-1] else other) for kind in kinds]
    header = path.read_bytes()
    colr = header[header.index(b"colr") - 4 :][:15]
    photo = decode(with_header_box(path, b"colr", colr, box(b"res ", b"".join(stated))))
    assert photo.warnings == ()
    assert photo.metadata.dpi == (dpi and pytest.approx(dpi, abs=0.01))
    if shutil.which("exiftool") and not down[2] + across[2] and len(kinds) == 1:
        command = ["exiftool", "-s3", "-*XResolution", path]
        said = subprocess.run(command, check=True, capture_output=True)
        assert dpi[0] == round(float(said.stdout) * 0.0254)
