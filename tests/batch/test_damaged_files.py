"""Damaged and malicious files: each is retouched or reported, with limited memory."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from enhance_cli.batch.outcome import Status
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.imaging.codecs.decode import decode
from tests.imaging.damage import damaged_files, png_bomb, whole_files

COPIES = int(os.environ.get("ENHANCE_DAMAGED_EACH", "6"))
"""Damaged copies of each of twelve files; 30 and more in the long form of this test."""


@pytest.fixture
def run(tmp_path, identity_weights):
    def run(*inputs, **options):
        out = tmp_path / "out"
        config = ApplyConfig(inputs, out, weights=identity_weights, device="cpu", **options)
        return list(BatchRunner(config))

    return run


def test_every_whole_file_is_retouched(tmp_path, run, write_dng):
    """Otherwise, the tests of damaged copies would prove nothing."""
    files = whole_files(tmp_path / "in", write_dng)
    outcomes = run(tmp_path / "in")
    assert len(outcomes) == len(files) == 12
    assert {one.status for one in outcomes} == {Status.DONE}


@pytest.mark.proves("Damaged files", "are reported with a reason")
def test_damaged_files_are_retouched_or_reported(tmp_path, run, write_dng):
    files = list(damaged_files(tmp_path, COPIES, write_dng))
    outcomes = run(tmp_path / "damaged")
    assert len(outcomes) == len(files) == 12 * COPIES
    for one in outcomes:
        if one.status is Status.FAILED:
            assert one.error.startswith(str(one.input)) and "\n" not in one.error
        else:
            assert decode(one.output).pixels.size, "the result is whole"
    failed = sum(one.status is Status.FAILED for one in outcomes)
    assert 0.1 < failed / len(outcomes) < 0.9, "some damage is harmless, and some is not"


def peak_of(path, limit="500_000_000"):
    """What a process prints that decodes a file to 500 px, and its peak memory in bytes."""
    code = f"""
import resource, sys
import torch, enhance_cli.imaging.codecs.decode as d
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(tuple(d.decode(__import__("pathlib").Path({str(path)!r}), 500, {limit}).size))
except d.PhotoError as problem:
    print(problem)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    said, peak = ran.stdout.strip().rsplit("\n", 1)
    return said, int(peak)


class TestBombs:
    @pytest.mark.proves("Huge files", "of more than 500 megapixels are refused unread")
    def test_a_png_of_900_megapixels_is_refused_unread(self, tmp_path):
        path = tmp_path / "bomb.png"
        path.write_bytes(png_bomb(30_000))
        assert path.stat().st_size < 500_000
        said, peak = peak_of(path)
        assert "30000 x 30000 pixels, the limit is 500,000,000" in said
        assert peak < 100e6

    def test_the_limit_can_be_set(self, tmp_path, run, write_photo):
        path = write_photo(tmp_path / "a.jpg", size=(60, 40))
        (refused,) = run(path, max_pixels=2399)
        assert refused.status is Status.FAILED and "--max-pixels" in refused.error
        (done,) = run(path, max_pixels=2400)
        assert done.status is Status.DONE

    def test_a_jpeg_of_the_largest_width(self, tmp_path):
        path = tmp_path / "wide.jpg"
        Image.fromarray(np.full((40, 65_500, 3), 90, np.uint8)).save(path)
        said, peak = peak_of(path)
        assert said == "(500, 1)" and peak < 200e6

    def test_a_tiff_of_ten_thousand_pages(self, tmp_path):
        path = tmp_path / "pages.tif"
        with tifffile.TiffWriter(path) as tiff:
            for _ in range(10_000):
                tiff.write(np.full((8, 8, 3), 90, np.uint8), photometric="rgb", metadata=None)
        said, peak = peak_of(path)
        assert said == "(8, 8)" and peak < 100e6

    def test_a_compressed_text_of_a_gigabyte(self, tmp_path):
        """A PNG whose zTXt holds a gigabyte of blanks in a megabyte."""
        import struct
        import zlib

        plain = tmp_path / "plain.png"
        Image.new("RGB", (8, 8)).save(plain)
        packer = zlib.compressobj(9)
        packed = b"".join(packer.compress(b" " * 2**20) for _ in range(1024)) + packer.flush()
        text = b"zTXt" + b"Title\0\0" + packed
        chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
        content = plain.read_bytes()
        bomb = tmp_path / "text.png"
        bomb.write_bytes(content[:33] + chunk + content[33:])
        said, peak = peak_of(bomb)
        assert peak < 200e6 and (said == "(8, 8)" or str(bomb) in said)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_a_hundred_megapixels_take_at_most_1500_megabytes(tmp_path, suffix):
    """Beyond the memory of the libraries, at full size."""
    path = tmp_path / f"large.{suffix}"
    draw = np.random.default_rng(0)
    tile = draw.integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
    pixels = np.tile(tile, (8, 12, 1))[:8165, :12247]
    if suffix == "tif":
        tifffile.imwrite(path, pixels.astype(np.uint16) * 257, photometric="rgb", compression="lzw")
    else:
        Image.fromarray(pixels).save(path, quality=95)
    code = f"""
import resource
from pathlib import Path
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.batch.runner import BatchRunner
small = Path({str(tmp_path / "small.png")!r})
out = Path({str(tmp_path / "out")!r})
list(BatchRunner(ApplyConfig((small,), out, device="cpu")))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
(one,) = BatchRunner(ApplyConfig((Path({str(path)!r}),), out, device="cpu", long_edge=None))
assert one.status == "done", one
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""
    Image.fromarray(pixels[:500, :500]).save(tmp_path / "small.png")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    peak = int(ran.stdout)
    assert peak < 1.5e9
