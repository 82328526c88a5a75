"""Photos of every format, and the ways in which files get damaged; all from a seed."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import piexif
import pillow_heif
import tifffile
from PIL import Image, ImageCms

SIDE = 96


def whole_files(folder: Path, write_dng: Callable[..., Path]) -> list[Path]:
    """One file of each kind that is read, with EXIF and a profile where the format has them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    pixels = np.stack([rows, columns, 1 - rows * columns], axis=2)
    image = Image.fromarray((255 * pixels).astype(np.uint8))
    deep = (65535 * pixels).astype(np.uint16)
    with BytesIO() as thumbnail:
        image.resize((32, 32)).save(thumbnail, "JPEG")
        exif = piexif.dump({
            "0th": {271: b"Maker", 274: 6, 305: b"program"},
            "Exif": {37500: b"note" * 50, 40962: SIDE, 40963: SIDE},
            "GPS": {1: b"N", 2: ((47, 1), (22, 1), (30, 1))},
            "1st": {259: 6},
            "thumbnail": thumbnail.getvalue(),
        })  # fmt: skip
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = {"exif": exif, "icc_profile": profile}
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"></x:xmpmeta>'
    image.save(folder / "a.jpg", quality=90, xmp=xmp, **more)
    image.save(folder / "progressive.jpg", progressive=True, **more)
    image.convert("CMYK").save(folder / "cmyk.jpg")
    image.save(folder / "a.png", **more)
    image.save(folder / "a.webp", xmp=xmp, **more)
    image.save(folder / "a.avif", **more)
    image.save(folder / "a.tif", **more)
    tifffile.imwrite(folder / "deep.tif", deep, photometric="rgb", compression="deflate")
    pillow_heif.from_pillow(image).save(folder / "a.heic", exif=exif)
    write_dng(folder / "a.dng", np.asarray(image))
    return sorted(folder.iterdir())


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Flip bytes, cut, double or blank a part, or put in what no part of a file should be."""
    spoilt = bytearray(content)
    start = draw.randrange(len(spoilt))
    # Heads are where a format's own structure stands, so half of all damage goes there.
    if draw.random() < 0.5:
        start = draw.randrange(min(len(spoilt), 600))
    length = draw.choice([1, 2, 4, 16, 200])
    kind = draw.choice(["flip", "flip", "cut", "double", "blank", "largest", "drop"])
    if kind == "flip":
        for _ in range(draw.choice([1, 4, 40])):
            spoilt[draw.randrange(start, len(spoilt))] ^= 1 << draw.randrange(8)
    elif kind == "cut":
        del spoilt[start:]
    elif kind == "double":
        spoilt[start:start] = spoilt[start : start + length]
    elif kind == "blank":
        spoilt[start : start + length] = bytes(length)
    elif kind == "largest":
        spoilt[start : start + 4] = draw.choice([b"\xff" * 4, b"\x7f\xff\xff\xff"])
    else:
        del spoilt[start : start + length]
    return bytes(spoilt)


def damaged_files(
    folder: Path, each: int, write_dng: Callable[..., Path], seed: int = 0
) -> Iterator[Path]:
    """Write ``each`` damaged files of every kind."""
    draw = random.Random(seed)
    for path in whole_files(folder / "whole", write_dng):
        content = path.read_bytes()
        for number in range(each):
            spoilt = folder / "damaged" / f"{path.stem}-{number}{path.suffix}"
            spoilt.parent.mkdir(exist_ok=True)
            spoilt.write_bytes(damaged(content, draw))
            yield spoilt


def png_bomb(side: int) -> bytes:
    """A PNG of ``side`` x ``side`` pixels whose file is a thousandth of them."""
    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)),
        (b"IDAT", packed),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
