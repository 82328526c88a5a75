import numpy as np
from PIL import Image

from enhance_cli.imaging.contact_sheet import before_after_sheet, contact_sheet


def test_each_pair_has_a_row_of_its_own(tmp_path):
    for name in ("red", "lime", "blue", "white"):
        Image.new("RGB", (500, 375), name).save(tmp_path / f"{name}.png")
    red, lime, blue, white = (tmp_path / f"{n}.png" for n in ("red", "lime", "blue", "white"))
    sheet = Image.fromarray(before_after_sheet([(red, lime), (blue, white)]))
    left, right = sheet.width // 4, 3 * sheet.width // 4
    top, bottom = sheet.height // 4, 3 * sheet.height // 4
    assert sheet.getpixel((left, top)) == (255, 0, 0)
    assert sheet.getpixel((right, top)) == (0, 255, 0)
    assert sheet.getpixel((left, bottom)) == (0, 0, 255)
    assert sheet.getpixel((right, bottom)) == (255, 255, 255)


def test_every_photo_is_shown_whole_with_a_label_below():
    photo = np.zeros((80, 120, 3), np.float32)
    cells = [(f"method {i}", photo + np.float32(i / 5)) for i in range(1, 6)]
    sheet = contact_sheet(cells)
    pixels = sheet.reshape(-1, 3)
    for i in range(1, 6):
        shown = (pixels == round(255 * i / 5)).all(axis=1).sum()
        assert shown >= 80 * 120
    rows = [sheet[16 + row * 114 + 80 : 16 + (row + 1) * 114] for row in range(2)]
    assert all((row > 200).any() for row in rows), "labels"
    assert sheet.shape[1] < 5 * 120, "four in a row, then the next row"
