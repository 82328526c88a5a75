import logging
import subprocess
import sys

import numpy as np
import tifffile

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.metadata.metadata import metadata_for_result

ARTIST = 315
UTF8 = 129
"""Type of texts in UTF-8 (Exif 3.0, 4.6.2)."""


def write_utf8_artist(path):
    """A TIFF whose artist has a type that tifffile does not know."""
    name = "Jürgen Ω".encode() + b"\0"
    tags = [(ARTIST, "s", 0, b"x" * (len(name) - 1), True)]
    tifffile.imwrite(
        path, np.zeros((20, 30, 3), np.uint8), photometric="rgb", metadata=None, extratags=tags
    )
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages.first.tags[ARTIST]
    content = bytearray(path.read_bytes())
    content[tag.offset + 2 : tag.offset + 4] = UTF8.to_bytes(2, "little")
    content[tag.valueoffset : tag.valueoffset + len(name)] = name
    path.write_bytes(content)


def test_a_text_in_utf8_is_kept_in_silence(tmp_path):
    """In a program of its own, since pytest catches what is logged."""
    write_utf8_artist(tmp_path / "a.tif")
    program = (
        "from pathlib import Path; from enhance_cli.imaging.codecs.decode import decode;"
        f"print(decode(Path({str(tmp_path / 'a.tif')!r})).metadata.exif['0th'][{ARTIST}].decode())"
    )
    ran = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program], capture_output=True, check=True, text=True
    )
    assert ran.stdout == "Jürgen Ω\n" and ran.stderr == ""


def test_a_program_may_still_read_the_log(tmp_path, caplog):
    write_utf8_artist(tmp_path / "a.tif")
    with caplog.at_level(logging.WARNING, "tifffile"):
        decode(tmp_path / "a.tif")
    assert "invalid data type 129" in caplog.text


def test_results_have_the_text(tmp_path):
    write_utf8_artist(tmp_path / "a.tif")
    photo = decode(tmp_path / "a.tif")
    for keep in ("all", "no-gps"):
        metadata, lost = metadata_for_result(photo.metadata, photo.size, keep=keep)
        write_photo(photo, tmp_path / "b.tif", metadata=metadata)
        assert lost == ()
        with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
            assert tiff.pages.first.tags.valueof(ARTIST) == "Jürgen Ω"
