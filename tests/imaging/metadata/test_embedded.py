"""Gain maps and videos, in files as phones write them (CIPA DC-007, Google, Apple, Samsung)."""

import struct
import zlib
from io import BytesIO

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from pictures import smooth
from PIL import Image
from PIL.PngImagePlugin import PngInfo

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


def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def jumbf(purpose=b"c2pa"):
    """A JUMBF superbox, as C2PA 2.1 (11.1.4.2) describes that of its manifests."""
    uuid = purpose + bytes.fromhex("00110010800000aa00389b71")
    return box(b"jumb", box(b"jumd", uuid + b"\x03c2pa\0") + box(b"cbor", b"\xa0"))


PROPERTIES = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dcterms="http://purl.org/dc/terms/" xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4" {}/></rdf:RDF></x:xmpmeta>"""
PROVENANCE = PROPERTIES.format('dcterms:provenance="self#jumbf=c2pa/urn:uuid:1"').encode()
MOTION = PROPERTIES.format('GCamera:MotionPhoto="1"').encode()

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
FORMATS = ["jpg", "png", "png16", "webp", "heic", "avif", "jxl", "jp2", "tif"]


def stored(suffix, packet=None):
    """A small photo with this XMP."""
    image = Image.new("RGB", (16, 16), (90, 120, 60))
    levels = np.asarray(image)
    if suffix == "png16":
        content = imagecodecs.png_encode(levels.astype(np.uint16) * 257)
        text = b"XML:com.adobe.xmp\0\0\0\0\0" + (packet or b"")
        return content[:33] + (png_chunk(b"iTXt", text) if packet else b"") + content[33:]
    if suffix == "jxl":
        start = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl \0\0\0\0jxl ")
        codestream = imagecodecs.jpegxl_encode(levels, lossless=True, usecontainer=False)
        return start + box(b"jxlc", codestream) + (box(b"xml ", packet) if packet else b"")
    if suffix == "jp2":
        content = imagecodecs.jpeg2k_encode(levels, level=0)
        return content + (box(b"uuid", XMP_UUID + packet) if packet else b"")
    file = BytesIO()
    if suffix == "tif":
        tags = [(700, "B", len(packet), packet, True)] if packet else []
        tifffile.imwrite(file, levels, photometric="rgb", extratags=tags, metadata=None)
    elif suffix == "heic":
        pillow_heif.from_pillow(image).save(file, xmp=packet)
    else:
        kind = {"jpg": "JPEG"}.get(suffix, suffix.upper())
        if suffix == "png":
            info = PngInfo()
            if packet:
                info.add_itxt("XML:com.adobe.xmp", packet.decode())
            image.save(file, kind, pnginfo=info)
        else:
            image.save(file, kind, **({"xmp": packet} if packet else {}))
    return file.getvalue()


def png_chunk(name, content):
    checked = name + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def signed(suffix, block):
    """A small photo with content credentials, stored as C2PA 2.1 (appendix A) says."""
    content = stored(suffix)
    if suffix == "jpg":
        part = b"JP" + struct.pack(">HI", 1, 1) + block
        return content[:2] + b"\xff\xeb" + struct.pack(">H", 2 + len(part)) + part + content[2:]
    if suffix in {"png", "png16"}:
        return content[:33] + png_chunk(b"caBX", block) + content[33:]
    if suffix == "webp":
        more = content[12:] + b"C2PA" + struct.pack("<I", len(block)) + block
        more += bytes(len(more) % 2)
        return b"RIFF" + struct.pack("<I", 4 + len(more)) + b"WEBP" + more
    if suffix in {"heic", "avif"}:
        return content + box(b"uuid", C2PA_UUID + bytes(4) + b"manifest\0" + bytes(8) + block)
    if suffix == "tif":
        file, levels = BytesIO(), np.zeros((16, 16, 3), np.uint8)
        tags = [(0xCD41, "B", len(block), block, True)]
        tifffile.imwrite(file, levels, photometric="rgb", extratags=tags, metadata=None)
        return file.getvalue()
    return content + block


def lines_for(tmp_path, suffix, content, **options):
    """What is said of a photo's metadata, and the XMP of its result."""
    path = tmp_path / f"a.{suffix.removesuffix('16')}"
    path.write_bytes(content)
    photo = decode(path)
    metadata, lost = metadata_for_result(photo.metadata, photo.size, **options)
    return lost, metadata.xmp


@pytest.mark.parametrize("keep", ["all", "no-gps", "none"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_content_credentials_are_said_to_be_left_out(tmp_path, suffix, keep):
    lost, _ = lines_for(tmp_path, suffix, signed(suffix, jumbf()), keep=keep)
    assert lost == ("its content credentials were left out",)
    assert lines_for(tmp_path, suffix, stored(suffix), keep=keep)[0] == ()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_name_of_content_credentials_is_removed(tmp_path, suffix):
    lost, packet = lines_for(tmp_path, suffix, stored(suffix, PROVENANCE))
    assert lost == ("its content credentials were left out",)
    assert b"self#jumbf" not in packet and b'xmp:Rating="4"' in packet


@pytest.mark.parametrize("suffix", ["jpg", "png", "jxl", "jp2"])
def test_other_jumbf_is_no_content_credentials(tmp_path, suffix):
    assert lines_for(tmp_path, suffix, signed(suffix, jumbf(b"json")))[0] == ()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_motion_photo_is_named_in_every_format(tmp_path, suffix):
    lost, packet = lines_for(tmp_path, suffix, stored(suffix, MOTION))
    assert lost == ("its video was left out (a motion photo)",)
    assert b"MotionPhoto" not in packet
