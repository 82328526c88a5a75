import shutil
import struct
import subprocess
import zlib

import imagecodecs
import numpy as np
import pytest

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.codecs.png import MendedPng, mended_png, read_png_rgb, write_png_rgb
from enhance_cli.imaging.photo import Photo


def test_pixels_come_back_as_they_were(tmp_path, coffee):
    write_photo(Photo(coffee), tmp_path / "deep" / "a.png")
    assert np.array_equal(read_png_rgb(tmp_path / "deep" / "a.png"), coffee)


def test_what_is_written_fast_is_read_by_others(tmp_path, coffee):
    write_png_rgb(coffee, tmp_path / "a.png")
    assert np.array_equal(imagecodecs.imread(tmp_path / "a.png"), coffee)
    assert np.array_equal(read_png_rgb(tmp_path / "a.png"), coffee)


def test_a_damaged_or_missing_file_is_none(tmp_path, coffee):
    assert read_png_rgb(tmp_path / "gone.png") is None
    write_photo(Photo(coffee), tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    assert read_png_rgb(tmp_path / "a.png") is None


def with_chunks(path, pixels, **chunks):
    """Write a PNG with further chunks behind its header (PNG, third edition, 11.3.2)."""
    plain, more = imagecodecs.png_encode(pixels), b""
    for name, content in chunks.items():
        body = name.encode() + content
        more += struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(plain[:33] + more + plain[33:])
    return path


def srgb(linear):
    """The curve of sRGB (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


RED = np.full((16, 16, 3), (217, 26, 26), np.uint8)
P3_RED = (237, -61, -10)
"""The same numbers of Display P3 in those of sRGB, by 255 (CSS Color 4)."""

CHRM_P3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
GAMA = {gamma: struct.pack(">I", round(100_000 * gamma)) for gamma in (1.0, 0.45455, 0.55556)}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("chunks", [
    {"cICP": bytes([12, 13, 0, 1])},
    {"cHRM": CHRM_P3},
    {"cHRM": CHRM_P3, "gAMA": GAMA[0.45455]},
    {"sRGB": b"\0", "cICP": bytes([12, 13, 0, 1])},
], ids=" ".join)  # fmt: skip
@pytest.mark.proves("Colour", "any colour space by numbers")
def test_the_colors_of_display_p3(tmp_path, chunks, dtype):
    pixels = RED.astype(dtype) * dtype(np.iinfo(dtype).max // 255)
    photo = decode(with_chunks(tmp_path / "a.png", pixels, **chunks))
    assert photo.pixels.dtype == dtype
    found = photo.color_space.to_srgb(photo.as_floats())[8, 8] * 255
    np.testing.assert_allclose(found, P3_RED, atol=1)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
def test_the_narrow_range_of_video_becomes_the_full_one(tmp_path, bits, channels):
    # ITU-T H.273, 8.3: the numbers are round((219 E + 16) 2^(n - 8)). Opacity has the full range.
    steps = np.linspace(0, 1, 16)[None].repeat(16, axis=0)[..., None]
    pixels = ((219 * steps + 16) * 2 ** (bits - 8)).round().repeat(channels, axis=2)
    if channels in {2, 4}:
        pixels[..., -1] = 2**bits // 2
    chunk = bytes([1, 13, 0, 0])
    photo = decode(with_chunks(tmp_path / "a.png", pixels.astype(f"u{bits // 8}"), cICP=chunk))
    np.testing.assert_allclose(photo.pixels / photo.max_value, steps.repeat(3, axis=2), atol=0.003)
    if channels in {2, 4}:
        assert photo.alpha is not None
        assert set(photo.alpha.flat) == {2**bits // 2}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["grey", "color"])
@pytest.mark.parametrize(("gamma", "exponent"), [(1.0, 1.0), (0.55556, 1.8)])
def test_the_gamma_is_honoured(tmp_path, dtype, kind, gamma, exponent):
    tones = np.tile(np.arange(256), (16, 1))
    stored = (tones * (np.iinfo(dtype).max // 255)).astype(dtype)
    if kind == "color":
        stored = np.stack([stored, stored, np.zeros_like(stored)], axis=2)
    photo = decode(with_chunks(tmp_path / "a.png", stored, gAMA=GAMA[gamma]))
    assert photo.grey == (kind == "grey")
    expected = srgb((tones / 255) ** exponent)
    assert np.abs(photo.as_srgb()[..., 1] - expected).max() < 0.6 / 255


@pytest.mark.parametrize("chunks", [
    {"gAMA": GAMA[0.45455]},
    {"sRGB": b"\0", "gAMA": GAMA[1.0], "cHRM": CHRM_P3},
    {"cICP": bytes([1, 13, 0, 1]), "gAMA": GAMA[1.0]},
    {"gAMA": bytes(4), "cHRM": bytes(32)},
], ids=" ".join)  # fmt: skip
def test_srgb_by_any_name_is_srgb(tmp_path, chunks):
    photo = decode(with_chunks(tmp_path / "a.png", RED, **chunks))
    assert photo.color_space.is_srgb
    np.testing.assert_array_equal(photo.pixels, RED)


@pytest.mark.parametrize("options", [[], ["-interlace", "PNG"]])
@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("colors", [[], ["-colors", "64"], ["-depth", "16"]])
def test_lost_pixels_are_an_error(tmp_path, options, share, colors):
    if shutil.which("convert") is None:
        pytest.skip("ImageMagick is not installed")
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    write_png_rgb(noise, tmp_path / "a.png")
    path = tmp_path / "b.png"
    subprocess.run(["convert", tmp_path / "a.png", *colors, *options, path], check=True)
    assert decode(path).warnings == ()
    content = path.read_bytes()
    kept = int(len(content) * share)
    path.write_bytes(content[:kept] + bytes(len(content) - kept))
    with pytest.raises(PhotoError, match="damaged"):
        decode(path)


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_compressed_with_a_warning(tmp_path, transfer):
    """Level 148 of 255 is diffuse white in PQ, and 191 in HLG (BT.2408)."""
    pixels = np.full((16, 16, 3), 148 if transfer == 16 else 191, np.uint8)
    photo = decode(with_chunks(tmp_path / "a.png", pixels, cICP=bytes([9, transfer, 0, 1])))
    assert "HDR" in photo.warnings[0] and photo.as_srgb().min() > 0.985


LONG = "<x:xmpmeta>" + "Ein langer Text. " * 100_000 + "</x:xmpmeta>"


@pytest.mark.parametrize("kind", ["zTXt", "iTXt"])
@pytest.mark.parametrize("keyword", ["Description", "XML:com.adobe.xmp"])
def test_long_compressed_texts_are_kept(tmp_path, kind, keyword):
    packed = zlib.compress(LONG.encode())
    body = keyword.encode() + (b"\0\0" if kind == "zTXt" else b"\0\1\0\0\0") + packed
    photo = decode(with_chunks(tmp_path / "a.png", RED, **{kind: body}))
    np.testing.assert_array_equal(photo.pixels, RED)
    if keyword == "Description":
        assert dict(photo.metadata.texts)["Description"] == LONG
    elif kind == "iTXt":
        assert photo.metadata.xmp == LONG.encode()


def test_a_text_of_many_megabytes_is_left_out_with_a_warning(tmp_path):
    body = b"Description\0\0" + zlib.compress(bytes(2**25))
    photo = decode(with_chunks(tmp_path / "a.png", RED, zTXt=body))
    assert "too long" in photo.warnings[0] and photo.metadata.texts == ()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("length", [2_000_000, 12_000_000])
def test_a_profile_of_megabytes_is_honoured_and_kept(tmp_path, length, bits):
    """Such as a scanner's: Pillow alone refuses the file."""
    primaries = [0.680, 0.320, 1.0, 0.265, 0.690, 1.0, 0.150, 0.060, 1.0]
    white = [0.3127, 0.3290, 1.0]
    profile = imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, gamma=2.2)
    profile += bytes(length - len(profile))
    profile = struct.pack(">I", len(profile)) + profile[4:]
    pixels = RED if bits == 8 else RED.astype(np.uint16) * 257
    path = with_chunks(tmp_path / "a.png", pixels, iCCP=b"scanner\0\0" + zlib.compress(profile))
    photo = decode(path)
    assert photo.warnings == () and photo.icc_profile == profile
    np.testing.assert_array_equal(photo.pixels, pixels)
    np.testing.assert_allclose(photo.as_srgb()[0, 0] * 255, np.maximum(P3_RED, 0), atol=6)
    for suffix in ("png", "jpg"):
        assert decode(write_photo_to(tmp_path / f"b.{suffix}", photo)).icc_profile == profile


def write_photo_to(path, photo):
    write_photo(photo, path)
    return path


def test_a_profile_beyond_all_measure_is_left_out(tmp_path):
    packed = zlib.compress(bytes(100_000_000))
    photo = decode(with_chunks(tmp_path / "a.png", RED, iCCP=b"x\0\0" + packed))
    assert photo.warnings == ("its colour profile is too long and was left out",)
    np.testing.assert_array_equal(photo.pixels, RED)


@pytest.mark.parametrize(("kind", "many"), [("tEXt", 70), ("zTXt", 70), ("iTXt", 3000)])
def test_texts_of_many_megabytes_in_all_are_left_out(tmp_path, kind, many):
    text = b"Comment\0" + b"a" * 1_000_000
    packed = zlib.compress(b"a" * 1_000_000)
    bodies = {"tEXt": text, "zTXt": b"Comment\0\0" + packed, "iTXt": b"Comment\0\1\0\0\0" + packed}
    body = kind.encode() + bodies[kind]
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    plain = imagecodecs.png_encode(RED)
    (tmp_path / "a.png").write_bytes(plain[:33] + chunk * many + plain[33:])
    photo = decode(tmp_path / "a.png")
    assert photo.warnings == ("a text that is too long was left out",)
    np.testing.assert_array_equal(photo.pixels, RED)


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt"])
def test_a_png_with_ordinary_texts_is_not_copied(tmp_path, kind):
    packed = zlib.compress(b"a day at the sea")
    body = {"tEXt": b"\0a day", "zTXt": b"\0\0" + packed, "iTXt": b"\0\1\0\0\0" + packed}[kind]
    path = with_chunks(tmp_path / "a.png", RED, **{kind: b"Comment" + body})
    assert mended_png(path, []) == MendedPng()
