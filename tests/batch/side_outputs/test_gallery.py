"""Which photos the gallery of a run shows, and when there is none."""

import re

import pytest

from enhance_cli.batch.runner import BatchRunner
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.dials import Dials
from enhance_cli.errors import OutputError, UsageError


def test_it_shows_new_results_earlier_ones_and_failures(tmp_path, run, write_photo):
    write_photo(tmp_path / "in" / "old.png")
    run(tmp_path / "in")
    write_photo(tmp_path / "in" / "new <b>&.png")
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no photo")
    run(tmp_path / "in", gallery=tmp_path / "seen" / "all.html")
    page = (tmp_path / "seen" / "all.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 2
    assert "new &lt;b&gt;&amp;.png" in page and "<b>&.png" not in page
    assert 'href="../out/new%20%3Cb%3E%26.png"' in page
    assert "Failed (1)" in page and "bad.jpg</b> not a photo" in page
    assert not re.search(r"(?:src|href)=\"https?:", page), "nothing is fetched"
    assert [path.name for path in (tmp_path / "seen").iterdir()] == ["all.html"]


def test_it_says_how_the_dials_were_set(tmp_path, run, write_photo):
    for name in ("a", "b"):
        write_photo(tmp_path / "in" / name / "x.png")
    (tmp_path / "in" / "b" / "enhance.toml").write_text("strength = 0.8\nwarmth = -5\n")
    looks = {"look_files": True, "dials": Dials(exposure=0.5), "given": ("exposure",)}
    captions = []
    for _ in range(2):  # the second run shows the results of the first
        run(tmp_path / "in", gallery=tmp_path / "all.html", **looks)
        page = (tmp_path / "all.html").read_text(encoding="utf-8")
        captions.append(re.findall(r"<small>(.*)</small>", page))
    assert captions == [["exposure +0.5", "strength 0.8, exposure +0.5, warmth -5"]] * 2
    run(tmp_path / "in" / "a", gallery=tmp_path / "plain.html")
    assert "<small>" not in (tmp_path / "plain.html").read_text(encoding="utf-8")


def test_reasons_name_no_options(tmp_path, run, write_photo):
    write_photo(tmp_path / "in" / "a.png")
    run(tmp_path / "in", gallery=tmp_path / "all.html", max_pixels=10)
    page = (tmp_path / "all.html").read_text(encoding="utf-8")
    assert "60 x 40 pixels, the limit is 10<" in page


def test_a_stopped_run_still_writes_its_page(tmp_path, brightening_weights, write_photo):
    for number in range(40):
        write_photo(tmp_path / "in" / f"{number}.png")
    gallery = tmp_path / "all.html"
    config = ApplyConfig((tmp_path / "in",), tmp_path / "out", weights=brightening_weights)
    run = BatchRunner(ApplyConfig(**{**vars(config), "gallery": gallery, "device": "cpu"}))
    done = 0
    for _ in run:
        done += 1
        run.stop()
    assert gallery.read_text().count("<figure>") == done < 40


def test_it_must_be_an_html_file(tmp_path, run, write_photo):
    path = write_photo(tmp_path / "a.jpg")
    with pytest.raises(UsageError, match=r"\.html"):
        run(path, gallery=path)


def test_a_gallery_that_cannot_be_written_is_an_error_before_any_photo(tmp_path, run, write_photo):
    path = write_photo(tmp_path / "a.jpg")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="--gallery"):
        run(path, gallery=tmp_path / "file" / "all.html")
    assert not (tmp_path / "out" / "a.jpg").exists()
