"""Photos of every format, and damaged copies of them; reproducible by a seed."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import piexif
import pillow_heif
import tifffile
from PIL import Image, ImageCms

SIDE = 96


def whole_files(folder: Path, write_dng: Callable[..., Path]) -> list[Path]:
    """Write one file of each format that is read, with EXIF and a profile if it can have them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    pixels = np.stack([rows, columns, 1 - rows * columns], axis=2)
    image = Image.fromarray((255 * pixels).astype(np.uint8))
    sixteen_bit = (65535 * pixels).astype(np.uint16)
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
    tifffile.imwrite(folder / "deep.tif", sixteen_bit, photometric="rgb", compression="deflate")
    pillow_heif.from_pillow(image).save(folder / "a.heic", exif=exif)
    boxes = b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
    codestream = imagecodecs.jpegxl_encode(np.asarray(image), lossless=True)
    for kind, content in ((b"Exif", bytes(4) + exif[6:]), (b"jxlc", codestream)):
        boxes += struct.pack(">I", 8 + len(content)) + kind + content
    (folder / "a.jxl").write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n" + boxes)
    image.save(folder / "a.jp2")
    write_dng(folder / "a.dng", np.asarray(image))
    return sorted(folder.iterdir())


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Flip bits, or truncate, double, blank, delete or overwrite a part."""
    changed = bytearray(content)
    start = draw.randrange(len(changed))
    # Half of all damage goes to the header, where a format keeps its structure.
    if draw.random() < 0.5:
        start = draw.randrange(min(len(changed), 600))
    length = draw.choice([1, 2, 4, 16, 200])
    way = draw.choice(["flip", "flip", "cut", "double", "blank", "largest", "drop"])
    if way == "flip":
        for _ in range(draw.choice([1, 4, 40])):
            changed[draw.randrange(start, len(changed))] ^= 1 << draw.randrange(8)
    elif way == "cut":
        del changed[start:]
    elif way == "double":
        changed[start:start] = changed[start : start + length]
    elif way == "blank":
        changed[start : start + length] = bytes(length)
    elif way == "largest":
        changed[start : start + 4] = draw.choice([b"\xff" * 4, b"\x7f\xff\xff\xff"])
    else:
        del changed[start : start + length]
    return bytes(changed)


def damaged_files(
    folder: Path, each: int, write_dng: Callable[..., Path], seed: int = 0
) -> Iterator[Path]:
    """Write ``each`` damaged copies of each of :func:`whole_files`."""
    draw = random.Random(seed)
    for path in whole_files(folder / "whole", write_dng):
        content = path.read_bytes()
        for number in range(each):
            copy = folder / "damaged" / f"{path.stem}-{number}{path.suffix}"
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(damaged(content, draw))
            yield copy


def png_bomb(side: int) -> bytes:
    """A PNG of ``side`` x ``side`` pixels that takes less than a thousandth of that in bytes."""
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
