"""XMP of more than a segment, which JPEG splits and other formats hold whole."""

import hashlib
import json
import shutil
import struct
import subprocess

import numpy as np
import pytest
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.codecs.formats import mime_type
from enhance_cli.imaging.metadata.extended_xmp import PREFIX, merged, update_extension
from enhance_cli.imaging.metadata.metadata import metadata_for_result

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LONG = "river " * 30_000


def packet(content: str, name: str = "") -> bytes:
    note = f'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="{name}"' if name else ""
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<r:RDF xmlns:r="{RDF}"><r:Description r:about="" {note}>{content}</r:Description>'
        f"</r:RDF></x:xmpmeta>"
    ).encode()


EXTENSION = (
    packet(f"<dc:source>{LONG}</dc:source>")
    .replace(b"r:", b"rdf:")
    .replace(b"xmlns:r=", b"xmlns:rdf=")
)
NAME = hashlib.md5(EXTENSION).hexdigest().upper()
MAIN = packet("<dc:format>image/jpeg</dc:format>", NAME)


def parts_of(extension: bytes, name: str, size: int = 60_000) -> tuple[bytes, ...]:
    return tuple(
        PREFIX
        + name.encode()
        + struct.pack(">II", len(extension), start)
        + extension[start : start + size]
        for start in range(0, len(extension), size)
    )


PARTS = parts_of(EXTENSION, NAME)


@pytest.fixture
def write(tmp_path):
    def make(parts=PARTS, main=MAIN):
        path = tmp_path / "photo.jpg"
        segments = [b"http://ns.adobe.com/xap/1.0/\0" + main, *parts]
        more = b"".join(struct.pack(">BBH", 0xFF, 0xE1, 2 + len(s)) + s for s in segments)
        Image.fromarray(np.full((16, 24, 3), (90, 120, 150), np.uint8)).save(path)
        content = path.read_bytes()
        path.write_bytes(content[:2] + more + content[2:])
        return path

    return make


def result_of(path, suffix, **options):
    photo = decode(path)
    metadata, lost = metadata_for_result(photo.metadata, photo.size, **options)
    result = path.with_name(f"result.{suffix}")
    return result, (*lost, *write_photo(photo, result, metadata=metadata))


def tags(path):
    found = subprocess.run(["exiftool", "-json", path], capture_output=True, check=True)
    return json.loads(found.stdout)[0]


@pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
@pytest.mark.proves("XMP", "is kept in every format")
def test_the_long_part_is_in_every_format(write, suffix):
    path = write()
    result, lost = result_of(path, suffix)
    before, after = tags(path), tags(result)
    assert before["Source"] == after["Source"] and len(after["Source"]) >= len(LONG) - 1
    assert after["Format"] == after["MIMEType"] and lost == ()
    assert ("HasExtendedXMP" in after) == (suffix == "jpg") and "Warning" not in after


def test_the_extension_of_a_jpeg_is_named_by_its_digest():
    changed = packet("<dc:a xmlns:t='http://ns.adobe.com/tiff/1.0/' t:Orientation='6'/>")
    main, parts = update_extension(MAIN, parts_of(changed, NAME), (30, 20))
    joined = b"".join(part[len(PREFIX) + 40 :] for part in parts)
    assert b"Orientation='1'" in joined
    assert hashlib.md5(joined).hexdigest().upper().encode() in main and NAME.encode() not in main


@pytest.mark.parametrize(
    "parts",
    [
        (),
        PARTS[1:],
        PARTS[:-1],
        parts_of(EXTENSION, "F" * 32),
        (PARTS[0][:60], *PARTS[1:]),
        parts_of(EXTENSION[:-40], NAME),
        (PREFIX,),
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_part_that_is_missing_is_named_and_nothing_points_to_it(write, parts, suffix):
    result, lost = result_of(write(parts), suffix)
    assert lost == ("the long part of its XMP is incomplete or cannot be read and was left out",)
    content = result.read_bytes()
    assert b"HasExtendedXMP" not in content and b"river" not in content
    assert mime_type(f".{suffix}").encode() in content


def test_parts_may_come_in_any_order(write):
    result, lost = result_of(write(PARTS[::-1]), "webp")
    assert lost == () and LONG.encode() in result.read_bytes()


def test_a_part_that_does_not_fit_the_packet_is_not_merged():
    assert merged(packet(""), PARTS) is None
    assert merged(MAIN, parts_of(b"<a/>", NAME)) is None
    assert merged(b"<a>", PARTS) is None
