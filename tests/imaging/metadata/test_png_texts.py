import piexif
import pytest
from pictures import smooth
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.metadata.metadata import metadata_for_result
from enhance_cli.imaging.metadata.png_texts import sort_texts, without_location

BLOCK = piexif.dump({"0th": {271: b"Maker", 274: 6}})
PACKET = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def raw_profile(name: str, content: bytes) -> str:
    """As ImageMagick and Pillow write and read it: name, length, and lines of 72 digits."""
    digits = content.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return f"\n{name}\n{len(content):8}\n{lines}\n"


@pytest.fixture
def write(tmp_path):
    def make(**texts):
        info = PngInfo()
        for keyword, text in texts.items():
            info.add_text(keyword.replace("_", " "), text)
        Image.fromarray(smooth(60, 40)).save(tmp_path / "a.png", pnginfo=info)
        return tmp_path / "a.png"

    return make


@pytest.mark.parametrize("name", ["exif", "APP1", "EXIF"])
def test_exif_in_a_text_is_exif(write, name):
    """Otherwise, the result would be turned twice: its text would still ask for a turn."""
    photo = decode(write(**{f"Raw_profile_type_{name}": raw_profile(name, BLOCK)}))
    assert photo.size == (40, 60) and photo.metadata.texts == ()
    metadata, lost = metadata_for_result(photo.metadata, photo.size)
    loaded = piexif.load(metadata.exif)["0th"]
    assert loaded[271] == b"Maker" and loaded[274] == 1 and lost == ()


@pytest.mark.parametrize("name", ["xmp", "APP1"])
def test_xmp_in_a_text_is_xmp(name):
    content = PACKET if name == "xmp" else b"http://ns.adobe.com/xap/1.0/\0" + PACKET
    texts = sort_texts([(f"Raw profile type {name}", raw_profile(name, content))])
    assert texts == ((), None, PACKET)


@pytest.mark.parametrize("damage", ["", "\nexif\n", "garbage", "\nexif\n 4\nzz", "\n\n\n\n"])
def test_a_damaged_profile_is_no_text(damage):
    assert sort_texts([("Raw profile type exif", damage)]) == ((), None, None)


@pytest.mark.parametrize(
    "keyword",
    [
        *("exif", "xmp", "icc_profile", "photoshop", "dpi", "transparency", "interlace", "gamma"),
        *("srgb", "loop", "aux", "comment", "Raw_profile_type_exif"),
    ],
)
def test_a_text_is_never_taken_for_what_the_reader_found(write, keyword):
    photo = decode(write(**{keyword: "garbage"}))
    assert photo.size == (60, 40) and photo.metadata.exif is None and photo.metadata.xmp is None
    assert not photo.warnings


def test_the_standards_keywords_stay_without_the_location():
    texts = (("Title", "River"), ("Author", "Zoë"), ("geo:lat", "47.4"), ("Comment", "GPS 47 8"))
    assert without_location(texts) == (("Title", "River"), ("Author", "Zoë"))
