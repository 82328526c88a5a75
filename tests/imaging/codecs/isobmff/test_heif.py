import struct

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from pictures import smooth
from PIL import Image

from enhance_cli.batch.output_paths import plan_outputs
from enhance_cli.config.apply import ApplyConfig, Encoding
from enhance_cli.errors import PhotoError, UsageError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.photo import Photo


@pytest.fixture(params=[False, True], ids=["alone", "registered"])
def registration(request, monkeypatch):
    """Whether the host program has registered pillow_heif with Pillow (imageio does, for one)."""
    Image.init()
    for name in ("OPEN", "SAVE", "SAVE_ALL", "MIME"):
        kept = {key: value for key, value in getattr(Image, name).items() if key != "HEIF"}
        monkeypatch.setattr(Image, name, kept)
    kept = {key: value for key, value in Image.EXTENSION.items() if value != "HEIF"}
    monkeypatch.setattr(Image, "EXTENSION", kept)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    if request.param:
        pillow_heif.register_heif_opener()
    return request.param


@pytest.mark.parametrize("suffix", [".heic", ".HIF", ".jpg"])
def test_it_is_read_whatever_the_host_has_registered(tmp_path, registration, suffix):
    path = tmp_path / f"a{suffix}"
    pillow_heif.from_pillow(Image.fromarray(smooth(60, 40))).save(path, format="HEIF", quality=95)
    assert ("HEIF" in Image.OPEN) == registration
    pixels = decode(path).pixels
    assert np.abs(pixels.astype(int) - smooth(60, 40)).mean() < 3
    assert ("HEIF" in Image.OPEN) == registration


@pytest.mark.usefixtures("registration")
def test_a_damaged_file_is_reported_whatever_the_host_has_registered(tmp_path):
    path = tmp_path / "a.heic"
    pillow_heif.from_pillow(Image.fromarray(smooth(60, 40))).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(PhotoError, match="not a photo, or a format that cannot be read"):
        decode(path)


@pytest.mark.proves("Depth", "10-bit HEIC")
def test_a_ten_bit_heic_keeps_its_levels(tmp_path):
    tones = np.repeat(np.tile(np.arange(1024, dtype=np.uint16) << 6, (64, 1))[..., None], 3, axis=2)
    pillow_heif.encode(
        "RGB;16", (1024, 64), tones.tobytes(), tmp_path / "a.heic", quality=-1, chroma=444
    )
    photo = decode(tmp_path / "a.heic")
    assert photo.pixels.dtype == np.uint16 and len(np.unique(photo.pixels[..., 1])) > 700


@pytest.mark.usefixtures("registration")
@pytest.mark.parametrize("registration", [True], indirect=True)  # Pillow writes the file
def test_the_exif_orientation_of_a_heic_is_ignored(tmp_path, coffee):
    """HEIF stores rotation itself; EXIF's orientation is informative (ISO 23008-12, A.2)."""
    image = Image.fromarray(coffee)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.heic", quality=95, exif=exif)
    photo = decode(tmp_path / "a.heic", 500)
    assert photo.pixels.dtype == np.uint8 and photo.size == (500, 333)
    expected = np.asarray(image.resize((500, 333), Image.Resampling.LANCZOS))
    assert np.abs(photo.pixels.astype(int) - expected).mean() < 2


def with_numbers(path, primaries, transfer):
    """Write a HEIC whose nclx box has these code points, in 4:4:4."""
    red = Image.new("RGB", (64, 64), (217, 26, 26))
    heif = pillow_heif.from_pillow(red)
    heif.save(path, quality=-1, chroma=444)
    content = path.read_bytes()
    at = content.index(b"colrnclx") + 8
    path.write_bytes(content[:at] + struct.pack(">HH", primaries, transfer) + content[at + 4 :])


@pytest.mark.parametrize("suffix", [".heic", ".hif"])
def test_the_colors_of_display_p3(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with_numbers(path, 12, 13)
    photo = decode(path)
    srgb = photo.color_space.to_srgb(photo.as_floats())[32, 32] * 255
    np.testing.assert_allclose(srgb, (237, -61, -10), atol=4)


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.proves("Colour", "HDR (PQ, HLG) is compressed, with a warning")
def test_hdr_is_compressed_with_a_warning(tmp_path, transfer):
    path = tmp_path / "a.heic"
    with_numbers(path, 9, transfer)
    photo = decode(path)
    assert "HDR" in photo.warnings[0] and photo.pixels.dtype == np.uint16
    srgb = photo.color_space.to_srgb(photo.as_floats())[32, 32]
    assert srgb[0] > 0.9 and srgb[1:].max() < 0.1, "red, and not grey"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["color", "grey", "alpha", "wide"])
def test_what_is_written_is_read_back(tmp_path, kind, dtype):
    """By pillow-heif; 16 bits are stored as 10."""
    pixels = smooth(60, 40).astype(dtype) * (1 if dtype == np.uint8 else 257)
    pixels = np.repeat(pixels[..., :1], 3, axis=2) if kind == "grey" else pixels
    profile = imagecodecs.cms_profile("adobergb") if kind == "wide" else None
    alpha = pixels[..., 1] if kind == "alpha" else None
    photo = Photo(pixels, ColorSpace(profile), alpha, kind == "grey")
    write_photo(photo, tmp_path / "a.heic", Encoding(quality=95))
    read = pillow_heif.open_heif(tmp_path / "a.heic", convert_hdr_to_8bit=False)
    assert read.info["bit_depth"] == (8 if dtype == np.uint8 else 10)
    assert profile is None or read.info["icc_profile"] == profile
    levels = np.asarray(read)
    levels = levels[..., None] if levels.ndim == 2 else levels
    white = np.iinfo(dtype).max
    difference = np.abs(levels[..., 0] / white - pixels[..., 0] / white)
    assert difference.max() < 0.02
    back = decode(tmp_path / "a.heic")
    assert back.grey == (kind == "grey") and (back.alpha is not None) == (kind == "alpha")
    if alpha is not None:
        assert np.abs(back.alpha / white - alpha / white).max() < 0.01


def test_a_build_without_an_encoder_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(pillow_heif, "libheif_info", lambda: {"HEIF": ""})
    config = ApplyConfig((tmp_path,), tmp_path / "out", format="heic")
    with pytest.raises(UsageError, match="has no HEVC encoder; choose avif or jpg"):
        plan_outputs(config)
