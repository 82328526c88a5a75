"""EXIF of TIFF files that piexif does not read, written by ExifTool."""

import contextlib
import json
import shutil
import struct
import subprocess
import time
import tracemalloc

import numpy as np
import piexif
import pytest
import tifffile
from pictures import smooth

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.metadata.exif import ExifError, read_tags
from enhance_cli.imaging.metadata.metadata import metadata_for_result
from enhance_cli.imaging.metadata.tiff_tags import DamagedTiffError, read_directories

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")

TAGS = ["-Make=Canon", "-LensModel=RF 24", "-ExposureTime=1/250", "-ISO=400", "-FNumber=2.8",
        "-GPSLatitude=47.375", "-GPSLatitudeRef=N", "-DateTimeOriginal=2024:05:06 07:08:09",
        "-Artist=Zoë"]  # fmt: skip


def as_ifd_pointers(path):
    """Give the pointers to EXIF and GPS the type IFD (TIFF 6.0, supplement 1)."""
    content = bytearray(path.read_bytes())
    order = "<" if content[:2] == b"II" else ">"
    for tag in (34665, 34853):
        content = content.replace(
            struct.pack(f"{order}HH", tag, 4), struct.pack(f"{order}HH", tag, 13)
        )
    path.write_bytes(content)


def big_directory(position, order, entries):
    """A directory of a BigTIFF at this position: tag, type, number of values, and their bytes."""
    directory, after = struct.pack(f"{order}Q", len(entries)), b""
    end = position + 8 + 20 * len(entries) + 8
    for tag, type_, count, value in sorted(entries):
        inline = value.ljust(8, b"\0")
        if len(value) > 8:
            inline, after = struct.pack(f"{order}Q", end + len(after)), after + value
        directory += struct.pack(f"{order}HHQ", tag, type_, count) + inline
    return directory + bytes(8) + after


def write_big_tiff(path, order):
    """A BigTIFF with the tags of TAGS, for ExifTool does not write any."""
    # tifffile writes no pointers: their numbers are put in afterwards.
    placeholders = [(code, "Q", 1, 0, True) for code in (34664, 34852)]
    texts = [(271, "s", 0, "Canon", True), (315, "s", 0, "Zoë".encode(), True)]
    tifffile.imwrite(
        path, smooth(60, 40), photometric="rgb", bigtiff=True, byteorder=order, metadata=None,
        extratags=[*placeholders, *texts],
    )  # fmt: skip

    def rationals(*parts):
        return struct.pack(f"{order}{len(parts)}I", *parts)

    exif = [
        (0x829A, 5, 1, rationals(1, 250)),
        (0x829D, 5, 1, rationals(28, 10)),
        (0x8827, 3, 1, struct.pack(f"{order}H", 400)),
        (0x9003, 2, 20, b"2024:05:06 07:08:09\0"),
        (0xA434, 2, 6, b"RF 24\0"),
    ]
    gps = [(1, 2, 2, b"N\0"), (2, 5, 3, rationals(47, 1, 22, 1, 30, 1))]
    with tifffile.TiffFile(path) as tiff:
        entries_at = [tiff.pages.first.tags[code].offset for code in (34664, 34852)]
    content = bytearray(path.read_bytes())
    for at, type_, entries in zip(entries_at, (18, 13), (exif, gps), strict=True):
        content += bytes(-len(content) % 8)
        code = 34665 if entries is exif else 34853
        content[at : at + 4] = struct.pack(f"{order}HH", code, type_)
        code = "Q" if type_ == 18 else "I"
        content[at + 12 : at + 20] = struct.pack(f"{order}{code}", len(content)).ljust(8, b"\0")
        content += big_directory(len(content), order, entries)
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["BigTIFF", "BigTIFF, big-endian", "IFD", "thumbnail first"])
def test_exif_and_location_are_kept(tmp_path, kind):
    path = tmp_path / "a.tif"
    if "BigTIFF" in kind:
        write_big_tiff(path, ">" if "big-endian" in kind else "<")
    else:
        with tifffile.TiffWriter(path) as tiff:
            if kind == "thumbnail first":
                tiff.write(smooth(30, 20), photometric="rgb", subfiletype=1, metadata=None)
            tiff.write(smooth(60, 40), photometric="rgb", metadata=None)
        directory = "IFD1:" if kind == "thumbnail first" else ""
        names = ("-Make", "-Artist")
        tags = [
            tag.replace("-", f"-{directory}", 1) if tag.startswith(names) else tag for tag in TAGS
        ]
        subprocess.run(["exiftool", "-q", "-overwrite_original", *tags, path], check=True)
    if kind == "IFD":
        as_ifd_pointers(path)
    photo = decode(path)
    assert photo.size == (60, 40) and photo.warnings == ()
    metadata, lost = metadata_for_result(photo.metadata, photo.size)
    assert lost == ()
    write_photo(photo, tmp_path / "b.jpg", metadata=metadata)
    found = piexif.load(str(tmp_path / "b.jpg"))
    assert found["0th"][piexif.ImageIFD.Make] == b"Canon"
    assert found["0th"][piexif.ImageIFD.Artist] == "Zoë".encode()
    assert found["Exif"][piexif.ExifIFD.LensModel] == b"RF 24"
    assert found["Exif"][piexif.ExifIFD.ExposureTime] == (1, 250)
    assert found["Exif"][piexif.ExifIFD.ISOSpeedRatings] == 400
    assert found["GPS"][piexif.GPSIFD.GPSLatitude][:2] == ((47, 1), (22, 1))


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_piexif_reads_is_read_alike(tmp_path, order):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, smooth(60, 40), photometric="rgb", byteorder=order, metadata=None)
    subprocess.run(["exiftool", "-q", "-overwrite_original", *TAGS, path], check=True)
    expected, found = piexif.load(str(path)), read_directories(path)
    for name in ("Exif", "GPS"):
        assert found[name] == expected[name]
    for tag in (piexif.ImageIFD.Make, piexif.ImageIFD.Artist, piexif.ImageIFD.XResolution):
        assert found["0th"][tag] == expected["0th"][tag]


def test_damage_is_left_out(tmp_path):
    path = tmp_path / "a.tif"
    write_big_tiff(path, "<")
    whole, draw = path.read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(whole)
        for at in draw.integers(4, len(changed), 20):
            changed[at] = draw.integers(256)
        path.write_bytes(changed[: draw.integers(16, len(changed))])
        assert set(read_directories(path)) == {"0th", "Exif", "GPS", "Interop"}
    path.write_bytes(b"text")
    with pytest.raises(DamagedTiffError):
        read_directories(path)


_FORMATS = {1: "B", 3: "H", 4: "I", 5: "I", 6: "b", 10: "i", 11: "f", 12: "d"}


def add_directories(path, exif, gps):
    """Append an EXIF and a GPS directory to a little-endian TIFF: tags, types and values."""
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        entries_at = [tiff.pages.first.tags[code].offset for code in (34664, 34852)]
    for at, code, entries in zip(entries_at, (34665, 34853), (exif, gps), strict=True):
        content += bytes(len(content) % 2)
        content[at : at + 12] = struct.pack("<HHII", code, 4, 1, len(content))
        end = len(content) + 2 + 12 * len(entries) + 4
        directory, after = struct.pack("<H", len(entries)), b""
        for tag, type_, values in sorted(entries):
            text = isinstance(values, bytes)
            value = values if text else struct.pack(f"<{len(values)}{_FORMATS[type_]}", *values)
            count = len(values) // 2 if type_ in (5, 10) else len(values)
            place = value.ljust(4, b"\0")
            if len(value) > 4:
                place, after = struct.pack("<I", end + len(after)), after + value
            directory += struct.pack("<HHI", tag, type_, count) + place
        content += directory + bytes(4) + after
    path.write_bytes(content)


ODD = {
    "a text in UTF-8 (Exif 3.0)": (0xA434, 129, "Ä 50mm\0".encode()),
    "an owner in UTF-8": (0xA430, 129, "Jürgen\0".encode()),
    "a text as bytes": (0xA434, 7, b"50mm\0"),
    "a number as text": (0xA431, 4, (12345,)),
    "a SHORT for a fraction": (0x920A, 3, (50,)),
    "a DOUBLE for a fraction": (0x829A, 12, (0.008,)),
    "a FLOAT for a fraction": (0x9206, 11, (3.3,)),
    "a fraction without a sign": (0x9204, 5, (1, 3)),
    "a LONG for a SHORT": (0x8827, 4, (6400,)),
    "a BYTE for a SHORT": (0x9209, 1, (16,)),
    "a signed BYTE": (0x9207, 6, (5,)),
    "a SHORT for bytes": (0xA300, 3, (3,)),
    "a text for bytes": (0x9286, 2, b"hello\0"),
    "an empty text": (0xA433, 2, b""),
    "an unknown type": (0xA432, 77, b"????"),
    "a fraction of nothing": (0x9202, 10, (1, 0)),
    "a negative fraction": (0x9206, 10, (-3, 1)),
    "not a number": (0x9205, 12, (float("nan"),)),
    "endless digits": (0x9205, 2, b"1e999999999\0"),
}

_LOST = {
    "an unknown type": "LensSpecification",
    "a fraction of nothing": "ApertureValue",
    "a negative fraction": "SubjectDistance",
    "not a number": "MaxApertureValue",
    "endless digits": "MaxApertureValue",
}
"""What cannot be read, and what is then named."""


def said_by_exiftool(*paths, options=()):
    command = ["exiftool", "-j", "-n", "-EXIF:all", "-GPS:all", *options, *paths]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def result_of(path, result):
    """Write the result of a photo, and return what it says is lost."""
    photo = decode(path)
    metadata, lost = metadata_for_result(photo.metadata, photo.size)
    assert photo.warnings == ()
    write_photo(photo, result, metadata=metadata)
    return lost


def test_a_tag_of_an_unexpected_type_is_read_or_left_out_alone(tmp_path):
    """All other tags stay, and those that ExifTool reads have the same values in the result."""
    options = []
    for number, (name, odd) in enumerate(ODD.items()):
        path = tmp_path / f"{number:02}.tif"
        tifffile.imwrite(
            path, smooth(60, 40), photometric="rgb", metadata=None, byteorder="<",
            extratags=[(code, "I", 1, 0, True) for code in (34664, 34852)]
            + [(271, "s", 0, b"Nikon", True)],
        )  # fmt: skip
        fine = [(0x9003, 2, b"2024:05:06 07:08:09\0"), (0x829D, 5, (28, 10))]
        gps = [(1, 2, b"N\0"), (2, 12, (48.0, 51.0, 30.123456)), (3, 7, b"E\0"),
               (4, 10, (2, 1, 17, 1, 40, 1)), (5, 2, b"1\0"), (6, 11, (35.25,))]  # fmt: skip
        add_directories(path, [*fine, odd], gps)
        lost = (
            [f"{_LOST[name]} in its EXIF cannot be read and was left out"] if name in _LOST else []
        )
        assert [*result_of(path, path.with_suffix(".jpg"))] == lost, name
        options += [path, path.with_suffix(".jpg")]
    said = said_by_exiftool(*options)
    for name, before, after in zip(ODD, said[::2], said[1::2], strict=True):
        tags = before.keys() & after.keys() - {"SourceFile", "XResolution", "YResolution"}
        assert after["Make"] == "Nikon" and after["FNumber"] == 2.8, name
        assert after["DateTimeOriginal"] == "2024:05:06 07:08:09", name
        assert after["GPSLatitude"] == pytest.approx(48.8583676266, abs=1e-9), name
        assert after["GPSLongitude"] == pytest.approx(2.2944444444), name
        assert after["GPSAltitude"] == 35.25 and after["GPSAltitudeRef"] == 1, name
        own = {"OffsetTime", "GPSLongitudeRef", "GPSAltitudeRef", "ResolutionUnit"}
        for tag in tags - own:
            if isinstance(before[tag], float):
                assert after[tag] == pytest.approx(before[tag], rel=1e-6), (name, tag)
            else:
                assert after[tag] == before[tag], (name, tag)
        of_file = {"ImageWidth", "ImageHeight", "BitsPerSample", "Compression", "StripOffsets",
                   "PhotometricInterpretation", "SamplesPerPixel", "RowsPerStrip",
                   "StripByteCounts", "PlanarConfiguration", "SubfileType"}  # fmt: skip
        if name not in _LOST and name != "an empty text":
            assert before.keys() - after.keys() <= of_file, name


@pytest.mark.parametrize("big", [False, True])
def test_a_pyramid_keeps_its_exif(tmp_path, big):
    """tifffile gives the pointers to the smaller pages the type IFD."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=big) as tiff:
        tiff.write(
            smooth(60, 40), photometric="rgb", metadata=None, subifds=1,
            extratags=[(271, "s", 0, b"Nikon", True)],
        )  # fmt: skip
        tiff.write(smooth(30, 20), photometric="rgb", metadata=None, subfiletype=1)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages.first.tags[330].dtype in (13, 18)
    if not big:
        subprocess.run(["exiftool", "-q", "-overwrite_original", *TAGS[1:-1], path], check=True)
    assert result_of(path, tmp_path / "b.jpg") == ()
    found = piexif.load(str(tmp_path / "b.jpg"))
    assert found["0th"][piexif.ImageIFD.Make] == b"Nikon"
    if not big:
        assert found["Exif"][piexif.ExifIFD.LensModel] == b"RF 24"
        assert found["GPS"][piexif.GPSIFD.GPSLatitude][:2] == ((47, 1), (22, 1))


def tiff(tags: list[tuple[int, int, int, int]], order: str = "<", link: int = 0) -> bytes:
    """A TIFF of one directory, with these tags, types, counts and values."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    content = mark + struct.pack(f"{order}IH", 8, len(tags))
    content += b"".join(struct.pack(f"{order}HHII", *tag) for tag in tags)
    return (content + struct.pack(f"{order}I", link)).ljust(900, b"\0")


COSTLY = {
    "bytes": [(700, 1, 2**32 - 1, 100)],
    "shorts": [(258, 3, 2**31, 100)],
    "longs": [(273, 4, 2**30, 100)],
    "rationals": [(282, 5, 2**29, 100)],
    "doubles": [(282, 12, 2**29, 100)],
    "a thousand in the same place": [(273, 4, 200, 8)] * 70,
    "a directory behind the end": [],
}
"""Files of a kilobyte that claim gigabytes, but not for EXIF."""

COSTLY_EXIF = {
    "texts": [(305, 2, 2**32 - 1, 100)],
    "in EXIF": [(0x8769, 4, 1, 8), (0x9000, 7, 2**32 - 1, 100)],
    "EXIF behind the end": [(0x8769, 4, 1, 2**31)],
    "GPS behind the end": [(0x8825, 4, 1, 2**31)],
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", [*COSTLY, *COSTLY_EXIF])
@pytest.mark.parametrize("in_preview", [False, True])
def test_tags_that_claim_more_than_the_file_take_neither_memory_nor_time(
    tmp_path, name, order, in_preview
):
    content = tiff({**COSTLY, **COSTLY_EXIF}[name], order, link=0 if name in COSTLY_EXIF else 2**31)
    segment = b"Exif\0\0" + content
    preview = b"\xff\xd8\xff\xe1" + struct.pack(">H", 2 + len(segment)) + segment
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    tracemalloc.start()
    started = time.process_time()
    refused = pytest.raises(ExifError) if name in COSTLY_EXIF else contextlib.nullcontext()
    with refused:
        found = read_tags(preview if in_preview else path)
        assert not (found["Exif"] or found["GPS"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21 and time.process_time() - started < 10


def test_pointers_to_one_directory_are_followed_once(tmp_path):
    directory = struct.pack("<H", 65_535) + struct.pack("<HHII", 0x8769, 4, 1, 8) * 65_535
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0\x08\0\0\0" + directory + bytes(4))
    started = time.process_time()
    with contextlib.suppress(ExifError):
        read_tags(path)
    assert time.process_time() - started < 10


def test_directories_in_a_circle_are_read_once(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff([(271, 2, 3, 0x00004142), (0x8769, 4, 1, 8)], link=8))
    assert read_tags(path)["0th"][271] == b"BA"


def test_a_photo_of_many_strips_is_read(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.zeros((20_000, 16, 3), np.uint8),
        photometric="rgb",
        rowsperstrip=1,
        extratags=[(271, "s", 0, "Maker", True)],
        metadata=None,
    )
    assert read_tags(path)["0th"][271] == b"Maker"
