"""Reading WebP, whole and damaged, with libwebp's incremental decoder and without it."""

import random
import struct

import numpy as np
import pytest
from pictures import scene, smooth
from PIL import Image

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.webp import decoder, read

SHOWN = decoder._library() is not None
WAYS = ["incremental", "by Pillow"] if SHOWN else ["by Pillow"]


@pytest.fixture(params=WAYS)
def either_way(request, monkeypatch):
    if request.param == "by Pillow":
        monkeypatch.setattr(decoder, "_library", lambda: None)


def save(path, mode="RGB", size=(301, 200), **options):
    noise = np.random.default_rng(0).integers(0, 40, (size[1], size[0], 3))
    image = Image.fromarray((smooth(*size) // 2 + noise).astype(np.uint8))
    if mode == "RGBA":
        image.putalpha(Image.fromarray(smooth(*size)[..., 1]))
    image.save(path, **options)
    return path


def with_surplus(content, surplus):
    """The file with bytes behind its pixel data that no decoder needs, in the same chunk."""
    name, length = struct.unpack_from("<4sI", content, 12)
    assert name in {b"VP8 ", b"VP8L"}
    data = content[20 : 20 + length] + random.Random(0).randbytes(surplus)
    data += bytes(len(data) % 2)
    chunk = struct.pack("<4sI", name, len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("more", [{}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0", "xmp": b"<x/>"}])
@pytest.mark.parametrize("size", [(301, 200), (16, 700), (1, 1)])
def test_pixels_are_those_of_pillow(tmp_path, mode, lossless, more, size):
    path = save(tmp_path / "a.webp", mode, size, lossless=lossless, **more)
    photo = decode(path)
    with Image.open(path) as image:
        pixels = np.asarray(image)
    np.testing.assert_array_equal(photo.pixels, pixels[..., :3])
    if mode == "RGBA":
        np.testing.assert_array_equal(photo.alpha, pixels[..., 3])
    assert photo.lossless == lossless and photo.warnings == ()


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("lossless", [False, True])
def test_the_first_picture_of_an_animation_is_read(tmp_path, lossless):
    pictures = [Image.fromarray(scene(number)) for number in range(2)]
    path = tmp_path / "a.webp"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], lossless=lossless)
    photo = decode(path)
    with Image.open(path) as image:
        np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))
    assert photo.warnings == ("contains several images, only the first was read",)


@pytest.mark.skipif(not SHOWN, reason="Pillow's libwebp shows none of its functions")
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_whole_picture_is_decoded_once(tmp_path, monkeypatch, mode, lossless):
    path = save(tmp_path / "a.webp", mode, lossless=lossless)
    monkeypatch.setattr("PIL.WebPImagePlugin.WebPImageFile.load", None)
    monkeypatch.setattr(read, "_needs_end", None)
    assert decode(path).size == (301, 200)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("lossless", [False, True])
def test_pixel_data_that_are_left_over_are_an_error(tmp_path, lossless):
    path = save(tmp_path / "a.webp", lossless=lossless)
    content = path.read_bytes()
    path.write_bytes(with_surplus(content, 80))
    with pytest.raises(PhotoError, match="the pixel data do not fit the picture"):
        decode(path)
    for harmless in (1, 20, 40):  # some encoders fill the end
        path.write_bytes(with_surplus(content, harmless))
        assert decode(path).warnings == ()


def verdict(path):
    try:
        return decode(path).pixels.tobytes()
    except PhotoError as problem:
        return str(problem)


@pytest.mark.skipif(not SHOWN, reason="Pillow's libwebp shows none of its functions")
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
def test_damage_is_judged_alike_with_either_decoder(tmp_path, monkeypatch, mode, lossless):
    draw, path = random.Random(0), tmp_path / "a.webp"
    content = save(path, mode, (160, 120), lossless=lossless).read_bytes()
    refused = 0
    for _ in range(40):
        changed, at = bytearray(content), draw.randrange(30, len(content))
        length = draw.choice([1, 20, 600])
        damage = draw.choice([draw.randbytes(length), bytes(length), b""])
        changed[at : at + length] = damage[: len(changed) - at]
        path.write_bytes(changed)
        found = verdict(path)
        with monkeypatch.context() as without:
            without.setattr(decoder, "_library", lambda: None)
            assert verdict(path) == found
        refused += isinstance(found, str)
    assert refused > 10
