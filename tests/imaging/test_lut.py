import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image, ImageFilter

from enhance_cli.config.apply import CUBE_SIZE as SIDE
from enhance_cli.imaging.lut import write_lut

MATRIX = np.array([[1.2, -0.1, 0.05], [0.02, 0.9, 0.1], [-0.05, 0.15, 1.1]], np.float32)
OFFSET = np.array([0.03, -0.02, 0.01], np.float32)


def linear(colors):
    return colors @ MATRIX.T + OFFSET


@pytest.mark.parametrize("sign", ["\n", "\r\n", "\t", "\x00", "\u2028", "\x85"])
def test_a_title_is_one_line(tmp_path, sign):
    path = tmp_path / "a.cube"
    write_lut(linear, path, f"a{sign}LUT_3D_SIZE 2", "cube", 2)
    lines = path.read_bytes().split(b"\n")
    assert len(lines) == 4 + 2**3 + 1 and lines[0].startswith(b'TITLE "a')
    assert all(32 <= byte < 127 for line in lines for byte in line)


def test_pillow_applies_the_file_like_the_map_itself(tmp_path, coffee):
    path = tmp_path / "maps" / "a.cube"
    write_lut(linear, path, 'a "quoted" Zoë', "cube", SIDE)
    lines = path.read_text(encoding="ascii").splitlines()
    assert lines[:2] == ["TITLE \"a 'quoted' Zo?\"", f"LUT_3D_SIZE {SIDE}"]
    table = [float(value) for line in lines[4:] for value in line.split()]
    assert len(table) == 3 * SIDE**3
    result = Image.fromarray(coffee).filter(ImageFilter.Color3DLUT(SIDE, table))
    expected = (linear(coffee.astype(np.float32) / 255).clip(0, 1) * 255).round()
    assert np.abs(np.asarray(result) - expected).max() <= 1


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_ffmpeg_applies_the_file_like_the_map_itself(tmp_path, coffee):
    write_lut(linear, tmp_path / "a.cube", "a", "cube", SIDE)
    Image.fromarray(coffee).save(tmp_path / "a.png")
    command = ["ffmpeg", "-loglevel", "error", "-i", "a.png", "-vf", "lut3d=a.cube", "b.png"]
    subprocess.run(command, cwd=tmp_path, check=True)
    expected = (linear(coffee.astype(np.float32) / 255).clip(0, 1) * 255).round()
    assert np.abs(np.asarray(Image.open(tmp_path / "b.png")) - expected).max() <= 2
