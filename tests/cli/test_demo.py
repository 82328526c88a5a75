import numpy as np
from PIL import Image
from typer.testing import CliRunner

from enhance_cli.cli.main import app
from enhance_cli.imaging.metrics import l2_lab

runner = CliRunner()


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float32) / 255


def test_the_demo_needs_no_photos(tmp_path):
    result = runner.invoke(app, ["demo", str(tmp_path), "--device", "cpu"])
    assert result.exit_code == 0, result.stderr
    photos = sorted(path.name for path in (tmp_path / "photos").iterdir())
    assert photos == sorted(path.name for path in (tmp_path / "retouched").glob("[!.]*"))
    assert len(photos) == 8 and "coffee-flat.jpg" in photos
    assert "before-after.jpg" in result.stdout
    with Image.open(tmp_path / "before-after.jpg") as sheet:
        assert sheet.height > 8 * 375
    again = runner.invoke(app, ["demo", str(tmp_path), "--device", "cpu"])
    assert again.exit_code == 0, "it can be run again"


def test_retouched_flat_renders_are_closer_to_the_photos(tmp_path):
    """The shipped weights improve photos on which they were not trained."""
    assert runner.invoke(app, ["demo", str(tmp_path), "--device", "cpu"]).exit_code == 0
    for name in ("coffee", "chelsea", "rocket", "astronaut"):
        retouched = pixels(tmp_path / "retouched" / f"{name}-flat.jpg")
        height, width = retouched.shape[:2]
        flat, good = (
            np.asarray(Image.open(tmp_path / "photos" / file).resize((width, height)), np.float32)
            / 255
            for file in (f"{name}-flat.jpg", f"{name}.jpg")
        )
        assert l2_lab(retouched, good) < l2_lab(flat, good), name


def test_the_users_own_files_stay(tmp_path):
    mine = [tmp_path / "before-after.jpg", tmp_path / "retouched" / "coffee.jpg"]
    (tmp_path / "retouched").mkdir()
    for path in mine:
        path.write_bytes(b"mine")
    result = runner.invoke(app, ["demo", str(tmp_path), "--device", "cpu"])
    assert result.exit_code == 0, result.stderr
    assert [path.read_bytes() for path in mine] == [b"mine"] * 2
    assert all(f"{path}: " in result.stderr for path in mine)
    assert "side by side" not in result.stdout
    mine[0].unlink()
    result = runner.invoke(app, ["demo", str(tmp_path), "--device", "cpu"])
    assert f"side by side: {mine[0]}" in result.stdout.replace("\n", "")
    with Image.open(mine[0]) as sheet:
        assert 7 * 375 < sheet.height < 8 * 375, "all photos but one are shown"
    assert runner.invoke(app, ["demo", str(tmp_path), "--device", "cpu"]).exit_code == 0
    assert mine[1].read_bytes() == b"mine"


def test_a_file_in_the_place_of_the_folder_is_an_error_in_one_line(tmp_path):
    (tmp_path / "file").write_text("mine")
    result = CliRunner().invoke(app, ["demo", str(tmp_path / "file")])
    assert result.exit_code == 1
    assert result.stderr == f"error: {tmp_path / 'file'}: Not a directory; choose another folder\n"
