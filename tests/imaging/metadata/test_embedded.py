"""Gain maps and videos, in files as phones write them (CIPA DC-007, Google, Apple, Samsung)."""

import struct
from io import BytesIO

import pillow_heif
import pytest
from pictures import smooth
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.open_image import open_image
from enhance_cli.imaging.metadata.metadata import metadata_for_result
from tests.imaging.gain_maps.apple_heic import with_tone_map

APPLE = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/" '
    b'xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/" HDRGainMap:HDRGainMapVersion="65536" '
    b'apdi:AuxiliaryImageType="urn:com:apple:photo:2020:aux:hdrgainmap"/></rdf:RDF></x:xmpmeta>'
)

GOOGLE = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:C="http://ns.google.com/photos/1.0/camera/" '
    b'xmlns:D="http://ns.google.com/photos/1.0/container/" '
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    b'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" xmp:Rating="4" '
    b'C:MotionPhoto="%d" C:MotionPhotoVersion="1" C:MotionPhotoPresentationTimestampUs="9">'
    b'<D:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><D:Item Item:Mime="video/mp4" '
    b'Item:Semantic="%s" Item:Length="4000"/></rdf:li></rdf:Seq></D:Directory></rdf:Description>'
    b"</rdf:RDF></x:xmpmeta>"
)
MICRO_VIDEO = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:G="http://ns.google.com/photos/1.0/camera/">'
    b"<G:MicroVideo>1</G:MicroVideo><G:MicroVideoOffset>4000</G:MicroVideoOffset>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(3000)
ISO = b"urn:iso:std:iso:ts:21496:-1\0" + bytes(60)


def jpeg(*segments: tuple[int, bytes], size=(60, 40)) -> bytes:
    with BytesIO() as file:
        Image.fromarray(smooth(*size)).save(file, "JPEG")
        content = file.getvalue()
    more = b"".join(struct.pack(">BBH", 0xFF, n, 2 + len(s)) + s for n, s in segments)
    return content[:2] + more + content[2:]


def with_second_picture(second: bytes, *segments) -> bytes:
    """A JPEG that lists a second picture behind it, in an MPF segment (CIPA DC-007, 5.2)."""

    def index(first_length: int) -> bytes:
        entries = struct.pack("<IIIHH", 0x030000, first_length, 0, 0, 0)
        # Positions count from the byte order mark: after SOI, marker, length and "MPF\0".
        entries += struct.pack("<IIIHH", 0, len(second), first_length - 10, 0, 0)
        tags = struct.pack("<HHI4s", 0xB000, 7, 4, b"0100")
        tags += struct.pack("<HHII", 0xB001, 4, 1, 2)
        tags += struct.pack("<HHII", 0xB002, 7, 32, 8 + 2 + 36 + 4)
        return b"MPF\0II*\0\x08\0\0\0\x03\0" + tags + bytes(4) + entries

    length = len(jpeg((0xE2, index(10)), *segments))
    return jpeg((0xE2, index(length)), *segments) + second


XMP = b"http://ns.adobe.com/xap/1.0/\0"


@pytest.fixture
def lost_from(tmp_path):
    def lost(content, suffix="jpg"):
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(content)
        photo = decode(path, 30)
        metadata, lines = metadata_for_result(photo.metadata, photo.size)
        return lines, metadata.xmp or b""

    return lost


@pytest.mark.proves("HDR gain maps", "are left out with a warning")
@pytest.mark.parametrize("segment", [(0xE1, XMP + APPLE), (0xE2, ISO)], ids=["Apple", "ISO"])
def test_a_gain_map_as_second_picture_is_named(tmp_path, lost_from, segment):
    content = with_second_picture(jpeg(segment, size=(30, 20)))
    lines, _ = lost_from(content)
    assert lines == ("its HDR gain map was left out",)
    with open_image(tmp_path / "a.jpg") as image:  # Pillow agrees that there are two pictures
        assert image.format == "MPO" and image.n_frames == 2


@pytest.mark.proves("HDR gain maps", "are left out with a warning")
@pytest.mark.parametrize("suffix", ["heic", "avif"])
def test_the_hdr_rendition_of_a_heic_or_avif_is_named(lost_from, suffix):
    with BytesIO() as file:
        image = Image.fromarray(smooth(60, 40))
        if suffix == "heic":
            pillow_heif.from_pillow(image).save(file)
        else:
            image.save(file, "AVIF")
        content = file.getvalue()
    assert lost_from(content, suffix)[0] == ()
    assert lost_from(with_tone_map(content), suffix)[0] == ("its HDR gain map was left out",)


def test_a_preview_as_second_picture_is_not_named(lost_from):
    assert lost_from(with_second_picture(jpeg(size=(30, 20)))) == ((), b"")


@pytest.mark.parametrize("cut", [0, 4, 100])
def test_a_second_picture_that_is_not_there_is_no_error(lost_from, cut):
    first = with_second_picture(b"")
    assert lost_from(first + jpeg((0xE1, XMP + APPLE))[:cut])[0] == ()


@pytest.mark.proves("HDR gain maps", "so are the videos of motion photos")
@pytest.mark.parametrize(
    "packet",
    [
        GOOGLE % (1, b"MotionPhoto"),
        GOOGLE % (1, b"Primary"),
        GOOGLE % (0, b"MotionPhoto"),
        MICRO_VIDEO,
    ],
)
def test_a_video_is_named_and_no_longer_promised(lost_from, packet):
    lines, after = lost_from(jpeg((0xE1, XMP + packet)) + VIDEO)
    assert lines == ("its video was left out (a motion photo)",)
    assert b"Motion" not in after and b"MicroVideo" not in after and b"Semantic" not in after
    assert (b'Rating="4"' in after) == (b"Rating" in packet)


def test_a_photo_whose_video_is_gone_already_needs_no_warning(lost_from):
    lines, after = lost_from(jpeg((0xE1, XMP + GOOGLE % (0, b"Primary"))))
    assert lines == () and b"Motion" not in after


def samsung(kind: int) -> bytes:
    """The trailer of Samsung's phones, as ExifTool describes it."""
    name = b"MotionPhoto_Data"
    part = struct.pack("<HHI", 0, kind, len(name)) + name + VIDEO
    directory = b"SEFH" + struct.pack("<II", 107, 1)
    directory += struct.pack("<HHII", 0, kind, len(part), len(part))
    return part + directory + struct.pack("<I", len(directory)) + b"SEFT"


def test_a_video_in_a_trailer_is_named(lost_from):
    assert lost_from(jpeg() + samsung(0x0A30))[0] == ("its video was left out (a motion photo)",)
    huawei = VIDEO + b"LIVE_1234567          "
    assert lost_from(jpeg() + huawei)[0] == ("its video was left out (a motion photo)",)


@pytest.mark.parametrize("end", [b"", samsung(0x0A01), b"SEFT", b"\xff\xff\xff\xffSEFT"])
def test_other_trailers_need_no_warning(lost_from, end):
    assert lost_from(jpeg() + end)[0] == ()
