import numpy as np
from PIL import Image
from typer.testing import CliRunner

from enhance_cli.cli.main import app
from enhance_cli.imaging.metrics import l2_lab

runner = CliRunner()


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float32) / 255


def test_someone_without_a_photo_sees_what_it_does(tmp_path):
    told = runner.invoke(app, ["demo", str(tmp_path), "--device", "cpu"])
    assert told.exit_code == 0, told.stderr
    photos = sorted(path.name for path in (tmp_path / "photos").iterdir())
    assert photos == sorted(path.name for path in (tmp_path / "retouched").glob("[!.]*"))
    assert len(photos) == 8 and "coffee-flat.jpg" in photos
    assert "before-after.jpg" in told.stdout
    with Image.open(tmp_path / "before-after.jpg") as sheet:
        assert sheet.height > 8 * 375
    again = runner.invoke(app, ["demo", str(tmp_path), "--device", "cpu"])
    assert again.exit_code == 0, "a second run is as good as the first"


def test_a_flat_render_comes_nearer_to_the_photo_that_it_was_made_from(tmp_path):
    """The weights that come with the package do their work on photos that they never saw."""
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
