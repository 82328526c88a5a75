"""The page of a gallery, in a browser."""

import os
import shutil
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from enhance_cli.batch.side_outputs.gallery_page import GalleryEntry, GalleryPage, picture_edge


def wait_until(page, condition: str) -> None:
    """Wait in Python: the page's policy lets nobody poll in it."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(condition)


@pytest.fixture(scope="module")
def browser():
    """Chromium, as the system has it."""
    names = "chromium", "chromium-browser", "google-chrome"
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


def test_the_page_stays_small_enough_to_send():
    assert [picture_edge(count) for count in (0, 1, 100, 400, 1000, 5000)] == [
        *(1600, 1600, 1265, 632, 400, 400)
    ]


class TestInABrowser:
    def at(self, page, number=0):
        """Position of the line between before and after, as a share of the width."""
        script = """number => {
          const pair = document.querySelectorAll('.pair')[number];
          const line = getComputedStyle(pair, '::after').left;
          return parseFloat(line) / pair.clientWidth;
        }"""
        return page.evaluate(script, number)

    @pytest.fixture
    def page(self, browser, tmp_path, run, coffee, write_photo):
        for name in ("a", "b", "c"):
            write_photo(tmp_path / "in" / f"{name}.jpg", coffee)
        (tmp_path / "in" / "bad.jpg").write_bytes(b"no photo")
        run(tmp_path / "in", gallery=tmp_path / "all.html")
        context = browser.new_context(has_touch=True, viewport={"width": 1200, "height": 800})
        page = context.new_page()
        page.faults = []
        page.on("pageerror", lambda problem: page.faults.append(str(problem)))
        page.on("console", lambda said: said.type == "error" and page.faults.append(said.text))
        page.goto((tmp_path / "all.html").as_uri())
        yield page
        assert page.faults == []
        context.close()

    def test_mouse_touch_and_keyboard_move_the_line(self, page):
        assert self.at(page) == pytest.approx(0.5, abs=0.01)
        box = page.locator(".pair").first.bounding_box()
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] / 2, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.8 * box["width"], middle, steps=4)
        page.mouse.up()
        assert self.at(page) == pytest.approx(0.8, abs=0.03)
        page.touchscreen.tap(box["x"] + 0.2 * box["width"], middle)
        assert self.at(page) == pytest.approx(0.2, abs=0.03)
        page.locator(".pair input").first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert self.at(page) == pytest.approx(0.22, abs=0.03)
        assert self.at(page, 1) == pytest.approx(0.5, abs=0.01), "the others stay"

    def test_all_sliders_run_the_way_their_lines_run(self, page):
        for selector in ("#all", ".pair input"):
            box = page.locator(selector).first.bounding_box()
            for share in (0.3, 0.7):
                page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
                assert self.at(page) == pytest.approx(share, abs=0.04), selector
        page.locator("#controls button", has_text="Before").click()
        assert [self.at(page, number) for number in range(3)] == pytest.approx([1] * 3, abs=0.01)
        page.locator("#controls button", has_text="After").click()
        assert [self.at(page, number) for number in range(3)] == pytest.approx([0] * 3, abs=0.01)

    def test_before_and_after_are_written_on_the_pictures(self, page):
        left, right = (page.locator(f".pair .tag{kind}").first for kind in ("", ".after"))
        assert left.inner_text() == "Before" and right.first.inner_text() == "After"
        opacity = "one => Number(getComputedStyle(one).opacity)"
        assert left.evaluate(opacity) == right.evaluate(opacity) == 1
        page.locator("#all").fill("100")
        assert left.evaluate(opacity) == 0, "nothing of it is shown"

    def test_the_large_view(self, page):
        page.locator(".pair button").nth(1).click()
        assert page.locator("#name").inner_text() == "b.jpg (2 of 3)"
        small = page.locator("#stage img").first.bounding_box()["width"]
        assert small > 800
        page.keyboard.press("+")
        assert page.locator("#stage img").first.bounding_box()["width"] > 1.5 * small
        page.mouse.move(300, 300)
        page.mouse.wheel(0, -500)
        wait_until(page, "seen.scale > 2")
        page.keyboard.press("0")
        assert page.locator("#stage img").first.bounding_box()["width"] == pytest.approx(small)
        page.keyboard.press("ArrowRight")
        assert page.locator("#name").inner_text() == "c.jpg (3 of 3)"
        page.locator("#next").click()
        assert page.locator("#name").inner_text() == "a.jpg (1 of 3)"
        page.mouse.click(300, 300)
        line, stage = (page.locator(one).bounding_box() for one in ("#line", "#stage"))
        assert line["x"] + line["width"] / 2 == pytest.approx(300, abs=1) and stage["x"] == 0
        page.keyboard.press("Escape")
        assert not page.locator("#large").is_visible()

    def test_two_fingers_enlarge(self, page):
        page.locator(".pair button").first.click()
        devtools = page.context.new_cdp_session(page)
        for kind, apart in (("touchStart", 50), ("touchMove", 100), ("touchMove", 150)):
            points = [{"x": 600 + side * apart, "y": 300, "id": side} for side in (-1, 1)]
            devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert page.evaluate("seen.scale") == pytest.approx(3, abs=0.3)

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_light_and_dark(self, page, scheme):
        page.emulate_media(color_scheme=scheme)
        back, text = page.evaluate("""() => ['backgroundColor', 'color'].map(name =>
          Number(getComputedStyle(document.body)[name].match(/\\d+/)[0]))""")
        assert (back > 200 > 90 > text) if scheme == "light" else (back < 90 < 200 < text)

    def test_it_fits_a_phone(self, page):
        page.set_viewport_size({"width": 390, "height": 844})
        width = "document.documentElement.scrollWidth"
        assert page.evaluate(width) == 390
        page.locator(".pair button").first.click()
        for button in page.locator("#bar button").all():
            box = button.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["height"] >= 44
            assert box["y"] + box["height"] <= 844

    def test_one_slider_moves_all(self, page):
        page.locator("#all").fill("100")
        assert [self.at(page, number) for number in range(3)] == pytest.approx([0, 0, 0], abs=0.01)

    def test_count_and_failures_are_shown(self, page):
        assert page.locator("#count").inner_text() == "3 photos"
        assert page.locator("#failed li").count() == 1
        folder = os.environ.get("ENHANCE_SCREENSHOTS")
        if folder:
            page.screenshot(path=f"{folder}/gallery.png")

    def test_it_can_be_sent_with_its_folder_and_alone(
        self, browser, tmp_path, run, coffee, write_photo
    ):
        names = ["50% #1 ?.jpg", "a:b & <i>'\"é.jpg", "sub dir/deep/c.jpg"]
        large = np.kron(coffee, np.ones((4, 4, 1), np.uint8))
        for name in names:
            write_photo(tmp_path / "in" / name, large)
        run(tmp_path / "in", gallery=tmp_path / "out" / "all.html", long_edge=None)
        sent = shutil.copytree(tmp_path / "out", tmp_path / "sent")
        alone = shutil.copy(sent / "all.html", tmp_path / "seen.html")
        shutil.rmtree(tmp_path / "out")
        page = browser.new_page()
        page.goto((sent / "all.html").as_uri())
        for figure in page.locator("figure").all():
            figure.locator("button").click()
            wait_until(page, "after.naturalWidth === 2400")
            assert page.locator("#full").is_visible()
            page.keyboard.press("Escape")
        captions = page.locator("figcaption").all_inner_texts()
        assert sorted(captions) == sorted(name.rpartition("/")[2] for name in names)
        page.goto(alone.as_uri())
        page.locator("figure button").first.click()
        wait_until(page, "after.naturalWidth === 1600")
        assert not page.locator("#full").is_visible(), "no link to what was not sent"
        page.close()

    def test_headings_by_folder_and_scene(self, browser, tmp_path, coffee):
        content = BytesIO()
        Image.fromarray(coffee).resize((60, 40)).save(content, "WEBP")
        pictures = content.getvalue(), content.getvalue()
        gallery = GalleryPage(tmp_path / "all.html")
        names = "0.jpg", "a<b/1.jpg", "a<b/2.jpg", "a<b/3.jpg", "c/d/4.jpg", "5.jpg"
        scenes = None, "Scene 1", "Scene 2", "Scene 1", None, None
        for name, scene in zip(names, scenes, strict=True):
            gallery.add(GalleryEntry(name, *pictures, (60, 40), tmp_path / name, scene=scene))
        gallery.close()
        page = browser.new_page()
        page.goto((tmp_path / "all.html").as_uri())
        assert page.locator("h2, h3, figcaption").all_text_contents() == [
            *("0.jpg", "5.jpg", "a<b", "Scene 1", "1.jpg", "3.jpg", "Scene 2", "2.jpg"),
            *("c/d", "4.jpg"),
        ]
        page.close()

    def test_a_thousand_photos_stay_fluid(self, browser, tmp_path, coffee):
        content = BytesIO()
        Image.fromarray(coffee).resize((400, 267)).save(content, "WEBP", quality=78)
        gallery = GalleryPage(tmp_path / "all.html")
        for number in range(1000):
            output = tmp_path / f"{number}.jpg"
            pictures = content.getvalue(), content.getvalue()
            gallery.add(GalleryEntry(output.name, *pictures, (400, 267), output, None))
        gallery.close()
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.goto((tmp_path / "all.html").as_uri())
        drawn = page.evaluate("""() => [...document.querySelectorAll('.pair')].filter(
          one => one.checkVisibility({contentVisibilityAuto: true})).length""")
        assert 3 <= drawn < 100, "the rest is drawn when it is scrolled into view"
        captions = page.locator("figcaption").all_text_contents()
        assert captions == [f"{number}.jpg" for number in range(1000)]
        page.locator("figure").last.scroll_into_view_if_needed()
        wait_until(page, "[...document.images].at(-3).naturalWidth === 400")
        decoded = page.locator("figure img[src]").count()
        assert decoded < 200, "pictures far from the window are let go"
        page.close()
