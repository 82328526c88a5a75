"""JPEGs whose pixel data are damaged; libjpeg-turbo and its cjpeg write them whole."""

import shutil
import subprocess
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.damaged_jpeg import END_MISSING, PARTS_WRONG
from enhance_cli.imaging.codecs.decode import decode

END = b"\xff\xd9"
KINDS = {
    "RGB": {},
    "L": {},
    "CMYK": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "arithmetic": {},
    "rare sampling": {},
    "12 bits": {},
}


def busy() -> np.ndarray:
    """A picture with noise: (400, 600, 3)."""
    noise = np.random.default_rng(0).integers(0, 60, (400, 600, 3))
    return (noise + np.indices((400, 600)).sum(0)[..., None] // 10).astype(np.uint8)


@pytest.fixture(params=KINDS)
def jpeg(request, tmp_path) -> tuple[str, bytes]:
    kind = request.param
    if kind == "12 bits":
        levels = busy().astype(np.uint16) << 4
        return kind, bytes(imagecodecs.jpeg8_encode(levels, level=92, bitspersample=12))
    if kind in {"arithmetic", "rare sampling"}:
        if not shutil.which("cjpeg"):
            pytest.skip("needs cjpeg")
        source = tmp_path / "a.ppm"
        Image.fromarray(busy()).save(source)
        options = ["-arithmetic"] if kind == "arithmetic" else ["-sample", "1x1,2x1,1x1"]
        command = ["cjpeg", "-quality", "92", *options, str(source)]
        return kind, subprocess.run(command, capture_output=True, check=True).stdout
    content = BytesIO()
    image = Image.fromarray(busy()).convert(kind if kind in {"L", "CMYK"} else "RGB")
    image.save(content, "JPEG", quality=92, **KINDS[kind])
    return kind, content.getvalue()


def half(content: bytes) -> bytes:
    return content[: len(content) // 2] + END


def zeros_to_the_end(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(len(content) - middle - 2) + END


def zeros_instead_of_the_end(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(len(content) - middle)


def zeros_within(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(4096) + content[middle + 4096 :]


def fewer(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + content[middle + 512 :]


@pytest.mark.parametrize("long_edge", [None, 100])
@pytest.mark.parametrize("damage", [half, zeros_to_the_end, zeros_instead_of_the_end])
@pytest.mark.proves("Damaged files", "are reported with a reason")
def test_much_is_missing(tmp_path, jpeg, damage, long_edge):
    path = tmp_path / "a.jpg"
    path.write_bytes(damage(jpeg[1]))
    with pytest.raises(PhotoError, match="damaged"):
        decode(path, long_edge)


@pytest.mark.parametrize("long_edge", [None, 100])
@pytest.mark.parametrize("damage", [zeros_within, fewer])
def test_damage_within(tmp_path, jpeg, damage, long_edge):
    kind, content = jpeg
    if (kind, damage) in {("CMYK", zeros_within), ("progressive", fewer)}:
        pytest.skip("by chance, what is left is a whole JPEG: libjpeg finds no fault in it")
    path = tmp_path / "a.jpg"
    path.write_bytes(damage(content))
    if kind != "restarts":
        with pytest.raises(PhotoError, match="damaged"):
            decode(path, long_edge)
        return
    photo = decode(path, long_edge)
    assert photo.warnings == (PARTS_WRONG,)
    if long_edge is None:
        wrong = np.abs(photo.pixels - busy().astype(int)).max(axis=(1, 2)) > 120
        assert wrong.mean() < 0.1


@pytest.mark.parametrize("marker", [0x01, 0x3C, 0xC0, 0xC4, 0xC6, 0xD8, 0xDA, 0xDD, 0xE1, 0xF6])
def test_damage_that_looks_like_a_marker(tmp_path, jpeg, marker):
    kind, content = jpeg
    path, middle = tmp_path / "a.jpg", len(content) // 2
    changed = bytes([*b"ABCD" * 5, 0xFF, marker, *b"ABCD" * 5])
    path.write_bytes(content[:middle] + changed + content[middle + len(changed) :])
    try:
        photo = decode(path)
    except PhotoError as problem:
        assert "damaged" in str(problem)
    else:
        assert kind == "restarts"
        assert photo.warnings == (PARTS_WRONG,)


@pytest.mark.parametrize("long_edge", [None, 100])
def test_what_does_no_harm(tmp_path, jpeg, long_edge):
    path = tmp_path / "a.jpg"
    whole = jpeg[1]
    path.write_bytes(whole)
    expected = decode(path, long_edge)
    assert expected.warnings == ()
    start, end = whole[:-2], whole[-2:]
    odd = [start + bytes(100) + end, start + b"\xff" * 50 + end, whole + b"abc" * 99, whole * 2]
    for content, warnings in [*((one, ()) for one in odd), (start, (END_MISSING,))]:
        path.write_bytes(content)
        photo = decode(path, long_edge)
        assert photo.warnings == warnings
        np.testing.assert_array_equal(photo.pixels, expected.pixels)


def test_the_pixels_are_those_of_djpeg(tmp_path, jpeg):
    kind, content = jpeg
    if not shutil.which("djpeg") or kind in {"12 bits", "CMYK"}:
        pytest.skip("djpeg does not write these")
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    out = subprocess.run(["djpeg", str(path)], capture_output=True, check=True).stdout
    expected = np.asarray(Image.open(BytesIO(out)).convert("RGB"))
    np.testing.assert_array_equal(decode(path).pixels, expected)
