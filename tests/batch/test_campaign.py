"""Thousands of damaged and malicious files, through the command line as users run it.

Each run of the command has files of every format. None may crash it, hang, take too much memory or
change an original, and the photos after it are retouched.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import zlib
from collections import Counter
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from tests.imaging.damage import damaged, whole_files
from tests.pictures import smooth

INPUTS = int(os.environ.get("ENHANCE_CAMPAIGN_INPUTS", "5000"))
"""Damaged files in all."""

EACH_RUN = 250

SECONDS, SECONDS_A_RUN, BYTES = 60, 1200, 1.6e9
"""Limits: for one photo, for a run, and of a run's memory (PyTorch and all workers included).

A photo of the campaign takes a tenth of a second; the limits are for a machine that is busy.
"""

OPTIONS = (
    [],
    ["--full-size", "--strip-gps"],
    ["--format", "tiff", "--full-size"],
    ["--format", "png", "--strip-gps"],
    ["--format", "jpeg", "--strip-metadata"],
    ["--format", "webp", "--srgb"],
    ["--strength", "0", "--full-size"],
)


def more_whole_files(folder: Path) -> None:
    """Files with what the others lack: texts, tiles, opacity, extended XMP, IPTC, more pictures."""
    levels = np.random.default_rng(0).integers(0, 255, (96, 96, 4)).astype(np.uint8)
    image = Image.fromarray(levels)
    deep = levels[..., :3].astype(np.uint16) * 257
    (folder / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    image.save(folder / "alpha.webp", lossless=True)
    image.convert("P").save(folder / "palette.png", transparency=3)
    image.convert("LA").save(folder / "grey.png")
    tifffile.imwrite(
        folder / "tiles.tif", deep, photometric="rgb", tile=(32, 32), compression="lzw"
    )
    tifffile.imwrite(
        folder / "planes.tif", np.moveaxis(deep, 2, 0), photometric="rgb", planarconfig="separate",
        rowsperstrip=16,
    )  # fmt: skip
    image.convert("RGB").save(folder / "jpeg.tif", compression="jpeg")
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-'
        b'syntax-ns#"><r:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" '
        b'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="' + b"0" * 32 + b'" '
        b'exif:GPSLatitude="47,22.5N"/></r:RDF></x:xmpmeta>'
    )
    extended = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32
    extended += struct.pack(">II", len(packet), 0) + packet
    iptc = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x5a\0\x05River"
    segments = [(0xE1, extended), (0xED, iptc)]
    more = b"".join(struct.pack(">BBH", 0xFF, n, 2 + len(s)) + s for n, s in segments)
    with BytesIO() as file:
        image.convert("RGB").save(file, "JPEG", xmp=packet, comment=b"by the river")
        content = file.getvalue()
    (folder / "rich.jpg").write_bytes(content[:2] + more + content[2:])
    frames = [image.convert("RGB"), image.convert("RGB").rotate(90)]
    frames[0].save(folder / "two.jpg", "MPO", save_all=True, append_images=frames[1:])
    larger_files(folder)


def larger_files(folder: Path) -> None:
    """Pictures with many blocks, strips and tiles, in which damage has room to spread."""
    image = Image.fromarray(smooth(1200, 800))
    for suffix in ("jpg", "png", "webp", "avif"):
        image.save(folder / f"large.{suffix}", quality=80)
    image.save(folder / "large-progressive.jpg", progressive=True)
    pixels = np.asarray(image)
    for compression in ("lzw", "zlib", "zstd", "packbits"):
        path = folder / f"large-{compression}.tif"
        tifffile.imwrite(path, pixels, photometric="rgb", compression=compression, rowsperstrip=16)
    image.convert("1").save(folder / "large-fax.tif", compression="group4")
    pillow_heif.from_pillow(image).save(folder / "large.heic")


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Damage a file up to five times; its structure too: parts swapped, repeated, miscounted."""
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        way = draw.choice(["damage", "damage", "swap", "repeat", "count", "graft"])
        if way == "damage" or len(content) < 64:
            content = damaged(content or b"\0", draw)
            continue
        start, end = sorted(draw.sample(range(len(content)), 2))
        middle = draw.randrange(start, end)
        if way == "swap":
            parts = content[:start], content[middle:end], content[start:middle], content[end:]
            content = b"".join(parts)
        elif way == "repeat":
            part = content[start : min(end, start + 2000)]
            content = content[:end] + part * draw.choice([1, 20, 200]) + content[end:]
        elif way == "count":
            at = draw.randrange(min(len(content) - 8, 800))
            number = draw.choice([0, 1, 2**16 - 1, 2**28, 2**31 - 1, 2**31, 2**32 - 1])
            stored = struct.pack(draw.choice("<>") + draw.choice("IH"), number & 0xFFFF)
            content = (
                content[:at]
                + (stored if len(stored) == 2 else struct.pack("<I", number))
                + (content[at + len(stored) :])
            )
        else:
            content = content[:start] + draw.randbytes(end - middle) + content[middle:]
    return content


def mutated_chunks(content: bytes, draw: random.Random) -> bytes:
    """A PNG with damage within chunks, whose lengths and checksums are right.

    Otherwise nearly every damaged copy would be refused for its checksums, unread. Half of all
    damage to pixels is to what Deflate unpacks, so that filters and rows are damaged as well.
    """
    chunks = chunks_of(content)
    for _ in range(draw.choice([1, 1, 2, 5])):
        at = draw.randrange(len(chunks))
        name, body = chunks[at]
        way = draw.choice(["damage", "damage", "damage", "repeat", "drop", "swap"])
        if way == "damage" and name == b"IDAT" and draw.random() < 0.5:
            body = zlib.compress(damaged(unpacked(body), draw))
        elif way == "damage":
            body = damaged(body or b"\0", draw)
        elif way == "repeat":
            chunks[at:at] = [chunks[at]] * draw.choice([1, 20, 200])
        elif way == "swap":
            chunks.append(chunks.pop(at))
        elif len(chunks) > 1:
            del chunks[at]
        if way == "damage":
            chunks[at] = name, body
    parts = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    return content[:8] + b"".join(parts)


def chunks_of(png: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 8
    while at + 12 <= len(png):
        length = struct.unpack_from(">I", png, at)[0]
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompress(body) or b"\0"
    except zlib.error:
        return body or b"\0"


def peak_of_children() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def digest_of(folder: Path) -> dict[str, bytes]:
    return {p.name: hashlib.sha256(p.read_bytes()).digest() for p in sorted(folder.iterdir())}


def run_command(folder: Path, out: Path, weights: Path, options: list[str]) -> tuple[list, str]:
    """Run the command on a folder; give its outcomes, and what is wrong with the whole run."""
    command = [sys.executable, "-m", "enhance_cli", "apply", folder, "-o", out, "--json", *options]
    command += ["--weights", weights, "--device", "cpu"]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS_A_RUN, check=False
        )
    except subprocess.TimeoutExpired:
        return [], "it did not end"
    if ran.returncode not in {0, 3} or "Traceback" in ran.stderr:
        return [], f"exit code {ran.returncode}: {ran.stderr[-2000:]}"
    photos = json.loads(ran.stdout)["photos"]
    failed = any(photo["status"] == "failed" for photo in photos)
    return photos, "" if ran.returncode == (3 if failed else 0) else "the wrong exit code"


def faults_of(photo: dict) -> list[str]:
    """What is wrong with an outcome."""
    error = photo["error"] or ""
    faults = ["too slow"] if photo["seconds"] > SECONDS else []
    if photo["status"] == "done":
        decode(Path(photo["output"]))
    elif photo["status"] != "failed" or not error.startswith(photo["input"]) or "\n" in error:
        faults.append("no sane message")
    return faults + (["a bug"] if "bug in enhance" in error else [])


@pytest.mark.slow
def test_a_campaign_of_damaged_files(tmp_path, write_dng, identity_weights):
    draw = random.Random(20261127)
    originals = tmp_path / "whole"
    whole_files(originals, write_dng)
    more_whole_files(originals)
    wholes = {path.name: path.read_bytes() for path in sorted(originals.iterdir())}
    counts: Counter[tuple[str, str]] = Counter()
    problems: list[object] = []
    for number in range(-(-INPUTS // EACH_RUN)):
        folder, out = tmp_path / f"in-{number}", tmp_path / f"out-{number}"
        folder.mkdir()
        for copy in range(EACH_RUN):
            name = list(wholes)[copy % len(wholes)]
            target = folder / f"{Path(name).stem}-{copy}{Path(name).suffix}"
            believed = name.endswith(".png") and draw.random() < 0.8
            mutate = mutated_chunks if believed else mutated
            target.write_bytes(mutate(wholes[name], draw))
        (folder / "zz-last.jpg").write_bytes(wholes["a.jpg"])
        before, options = digest_of(folder), OPTIONS[number % len(OPTIONS)]
        photos, wrong = run_command(folder, out, identity_weights, options)
        problems += [(number, options, wrong)] if wrong else []
        problems += [(number, "an original was changed")] if digest_of(folder) != before else []
        if photos and (len(photos) != EACH_RUN + 1 or photos[-1]["status"] != "done"):
            problems.append((number, "the photos after a damaged one were not retouched"))
        for photo in photos:
            counts[Path(photo["input"]).suffix, photo["status"]] += 1
            problems += [(photo, options, fault) for fault in faults_of(photo)]
        shutil.rmtree(out, ignore_errors=True)
        if not problems:
            shutil.rmtree(folder)
    print(sorted(counts.items()), peak_of_children())  # noqa: T201, shown by pytest -s
    assert not problems
    assert peak_of_children() < BYTES
    done = sum(count for (_, status), count in counts.items() if status == "done")
    assert 0.2 < done / sum(counts.values()) < 0.9
