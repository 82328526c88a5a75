import threading
import time

import numpy as np
import pytest
import simplejpeg
import tifffile
from pictures import QUADRANTS, enlarged
from PIL import Image

from enhance_cli import time_limit
from enhance_cli.errors import PhotoError
from enhance_cli.imaging import file_limits
from enhance_cli.imaging.codecs.decode import decode

STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}
"""How a file stores QUADRANTS under each value of EXIF's Orientation (EXIF 2.32)."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png", ".tif"])
@pytest.mark.proves("Orientation", "is applied to the pixels")
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    upright = enlarged(QUADRANTS, 32)[:48]  # 48 x 64: a turn shows in the size too
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    stored = np.ascontiguousarray(STORED[orientation](upright))
    Image.fromarray(stored).save(path, exif=exif, quality=95)
    pixels = decode(path, 500).as_srgb()
    assert pixels.shape == upright.shape
    for y, x in ((8, 8), (8, 56), (40, 8), (40, 56)):
        np.testing.assert_allclose(pixels[y, x] * 255, upright[y, x], atol=12)


def test_decoding_at_reduced_scale_looks_like_resizing(tmp_path, coffee, write_photo):
    large = np.asarray(Image.fromarray(coffee).resize((2400, 1600)))
    path = write_photo(tmp_path / "large.jpg", large)
    with Image.open(path) as image:
        expected = np.asarray(image.resize((500, 333), Image.Resampling.LANCZOS))
    pixels = decode(path, 500).as_srgb()
    assert pixels.shape == (333, 500, 3)
    difference = np.abs(pixels * 255 - expected)
    assert difference.mean() < 1 and np.percentile(difference, 99) < 6


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_large_jpeg_is_decoded_at_reduced_scale(tmp_path, monkeypatch, mode):
    path = tmp_path / "large.jpg"
    Image.new(mode, (4000, 2000)).save(path)
    shapes, reserved = [], []
    decode_jpeg = simplejpeg.decode_jpeg

    def watched(*arguments, **options):
        pixels = decode_jpeg(*arguments, **options)
        shapes.append(pixels.shape[:2])
        return pixels

    monkeypatch.setattr(simplejpeg, "decode_jpeg", watched)
    decode(path, 500, reserve=reserved.append)
    assert shapes == [(500, 1000)]
    assert reserved == [500 * 1000]


@pytest.mark.proves("Size", "photos are never enlarged")
def test_small_photos_are_not_enlarged(tmp_path, write_photo):
    assert decode(write_photo(tmp_path / "a.jpg"), 500).as_srgb().shape == (40, 60, 3)


def test_one_pixel(tmp_path, write_photo):
    path = write_photo(tmp_path / "dot.png", np.full((1, 1, 3), 51, np.uint8))
    np.testing.assert_allclose(decode(path, 500).as_srgb(), np.full((1, 1, 3), 0.2), atol=1e-6)


def test_a_panorama_keeps_its_proportions(tmp_path, write_photo):
    path = write_photo(tmp_path / "panorama.jpg", size=(4000, 200))
    assert decode(path, 500).as_srgb().shape == (25, 500, 3)


def test_a_name_with_spaces_and_foreign_letters(tmp_path, write_photo):
    assert decode(write_photo(tmp_path / "Zürich été (2) 写真.jpg"), 500).as_srgb().shape == (
        40,
        60,
        3,
    )


@pytest.mark.proves("Several pictures in a file", "only the first is read, with a warning")
def test_only_the_first_of_several_images_is_read_with_a_warning(tmp_path):
    path = tmp_path / "pages.tif"
    first, second = (Image.new("RGB", (8, 8), color) for color in ("white", "black"))
    first.save(path, save_all=True, append_images=[second])
    photo = decode(path, 500)
    assert photo.pixels.min() == 255 and "several" in photo.warnings[0]


class TestDamaged:
    def test_a_truncated_jpeg(self, tmp_path, coffee, write_photo):
        whole = write_photo(tmp_path / "whole.jpg", coffee).read_bytes()
        path = tmp_path / "cut.jpg"
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(PhotoError, match=r"cut\.jpg: damaged.*truncated"):
            decode(path, 500)

    def test_an_empty_file(self, tmp_path):
        path = tmp_path / "empty.jpg"
        path.touch()
        with pytest.raises(PhotoError, match="the file is empty"):
            decode(path, 500)

    @pytest.mark.parametrize("suffix", [".jpg", ".nef", ".tif"])
    def test_a_text_file_with_the_suffix_of_a_photo(self, tmp_path, suffix):
        path = tmp_path / f"notes{suffix}"
        path.write_text("shopping: film, batteries\n" * 40)
        with pytest.raises(PhotoError, match="not a photo"):
            decode(path, 500)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(PhotoError, match="does not exist"):
            decode(tmp_path / "gone.jpg", 500)

    def test_more_pixels_than_the_limit(self, tmp_path, write_photo, write_dng, coffee):
        path = write_photo(tmp_path / "bomb.png")
        with pytest.raises(PhotoError, match="60 x 40 pixels, the limit is 2,399"):
            decode(path, 500, 2399)
        assert decode(path, 500, 2400).size == (60, 40)
        raw = write_dng(tmp_path / "a.dng", coffee[:60, :80])
        with pytest.raises(PhotoError, match="80 x 60 pixels"):
            decode(raw, 500, 4799)


@pytest.mark.proves("Several pictures in a file", "a camera's previews cause none")
def test_the_preview_in_a_cameras_jpeg_is_no_second_image(tmp_path, coffee):
    """An MPO, as cameras and telephones write it: the photo, then a smaller copy."""
    path = tmp_path / "camera.jpg"
    photo = Image.fromarray(coffee)
    photo.save(path, "MPO", save_all=True, append_images=[photo.resize((60, 40))])
    decoded = decode(path, None)
    assert decoded.size == (600, 400) and decoded.warnings == ()


def test_what_a_decoder_says_of_damage_is_one_line(tmp_path, monkeypatch):
    """Messages of libavif end with a new line, for example."""

    def broken(_name):
        raise ValueError("Decoding failed\n(Unknown OBU type 0\n)\n")

    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path)
    monkeypatch.setattr("enhance_cli.imaging.codecs.decode.open_image", lambda *_: broken(path))
    with pytest.raises(PhotoError) as failed:
        decode(path)
    assert str(failed.value).endswith("(Decoding failed (Unknown OBU type 0 ))")


class TestTimeLimit:
    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch):
        monkeypatch.setattr(file_limits, "_SECONDS", 0.2)
        monkeypatch.setattr(time_limit, "TICK", 0.05)

    def test_a_decoder_that_hangs_is_given_up(self, tmp_path, write_photo, monkeypatch):
        end = threading.Event()
        monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda *_, **__: end.wait(60))
        path = write_photo(tmp_path / "a.tif")
        with pytest.raises(PhotoError, match=r"given up after .* s") as caught:
            decode(path)
        assert str(caught.value).startswith(f"{path}: ")
        end.set()

    def test_waiting_for_other_photos_does_not_count(self, tmp_path, write_photo):
        path = write_photo(tmp_path / "a.jpg")
        assert decode(path, reserve=lambda _: time.sleep(0.6)).size == (60, 40)

    def test_larger_photos_have_more_time(self, tmp_path, write_photo, monkeypatch):
        asarray = tifffile.TiffPage.asarray

        def slow(*arguments, **options):
            time.sleep(0.6)
            return asarray(*arguments, **options)

        monkeypatch.setattr(tifffile.TiffPage, "asarray", slow)
        path = write_photo(tmp_path / "a.tif", np.zeros((1000, 1000, 3), np.uint8))
        assert decode(path).size == (1000, 1000)


def test_a_photo_that_does_not_fit_into_the_free_memory_is_refused_before_it_is_read(
    tmp_path, monkeypatch
):
    path = tmp_path / "a.png"
    Image.new("1", (8000, 8000)).save(path)
    monkeypatch.setattr(file_limits, "available_memory", lambda: 1e8)
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(PhotoError, match=r"memory \(at least 0.3 GB; 0.1 GB are free\)"):
        decode(path)


@pytest.mark.parametrize("error", [MemoryError, RecursionError, AssertionError])
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_what_libraries_raise_for_one_photo_fails_it_alone(
    tmp_path, write_photo, monkeypatch, error, suffix
):
    path = write_photo(tmp_path / f"a.{suffix}")

    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(tifffile.TiffPage, "asarray", fail)
    monkeypatch.setattr(Image.Image, "load", fail)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load_prepare", fail)
    monkeypatch.setattr("PIL.WebPImagePlugin.WebPImageFile.load", fail)
    monkeypatch.setattr("enhance_cli.imaging.codecs.webp.read.decode_to_the_end", fail)
    with pytest.raises(PhotoError, match="a"):
        decode(path)
