from PIL import Image

from enhance_cli.imaging.sheet import before_after_sheet


def test_pictures_stand_side_by_side_a_row_a_pair(tmp_path):
    for name in ("red", "lime", "blue", "white"):
        Image.new("RGB", (500, 375), name).save(tmp_path / f"{name}.png")
    red, lime, blue, white = (tmp_path / f"{n}.png" for n in ("red", "lime", "blue", "white"))
    sheet = before_after_sheet([(red, lime), (blue, white)])
    left, right = sheet.width // 4, 3 * sheet.width // 4
    top, bottom = sheet.height // 4, 3 * sheet.height // 4
    assert sheet.getpixel((left, top)) == (255, 0, 0)
    assert sheet.getpixel((right, top)) == (0, 255, 0)
    assert sheet.getpixel((left, bottom)) == (0, 0, 255)
    assert sheet.getpixel((right, bottom)) == (255, 255, 255)
