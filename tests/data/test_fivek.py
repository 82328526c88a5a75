"""Every layout in which MIT-Adobe FiveK is distributed, in miniature."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from pictures import scene

from enhance_cli.data.fivek import find_fivek
from enhance_cli.data.pair_cache import render_pair
from enhance_cli.data.splits import held_out_keys
from enhance_cli.errors import PairsError

IDS = ("a0017", "a0002", "a4999")


class Writers(NamedTuple):
    jpeg: Callable[..., Path]
    prophoto: Callable[..., Path]
    dng: Callable[..., Path]


@pytest.fixture
def write(write_photo, write_prophoto, write_dng):
    return Writers(write_photo, write_prophoto, write_dng)


def official(root, write):
    for number, key in enumerate(IDS):
        photo = scene(number)
        folder = "HQa1to700" if number < 2 else "HQa4201to5000"
        write.dng(root / f"raw_photos/{folder}/photos/{key}-kme_{number}.dng", photo)
        write.prophoto(root / f"tiff16_c/{key}-kme_{number}.tif", photo)
        write.prophoto(root / f"tiff16_e/{key}-kme_{number}.tif", photo // 2)


def downloaded(root, write):
    top = root / "MITAboveFiveK"
    for number, key in enumerate(IDS):
        photo = scene(number)
        write.dng(top / f"raw/Canon_EOS_{number}/{key}-x.dng", photo)
        write.prophoto(top / f"processed/tiff16_c/{key}-x.tif", photo)
        write.prophoto(top / f"processed/tiff16_e/{key}-x.tif", photo // 2)


def set_480p(root, write):
    for number, key in enumerate(IDS):
        photo = scene(number)
        write.jpeg(root / f"input/JPG/480p/{key}-DSC.jpg", photo // 2)
        write.jpeg(root / f"expertC/JPG/480p/{key}-DSC.jpg", photo)
        write.jpeg(root / f"expertE/JPG/480p/{key}-DSC.jpg", photo // 2)
    (root / "train_input.txt").write_text("a0017-DSC\na0002-DSC\n")
    (root / "test.txt").write_text("a4999-DSC\n")


def random250(root, write):
    for number, key in enumerate(IDS):
        photo, part = scene(number), "test" if key == "a0017" else "train"
        for expert, dimmer in (("C", 1), ("E", 2)):
            write.jpeg(root / f"{expert}/{part}/raw/00{key[1:]}.jpg", photo // 2)
            write.jpeg(root / f"{expert}/{part}/target/00{key[1:]}.jpg", photo // dimmer)


def exported(folder):
    def build(root, write):
        for number, key in enumerate(IDS):
            photo = scene(number)
            write.jpeg(root / f"input/{key}-IMG.jpg", photo // 2)
            write.prophoto(root / f"{folder}/{key}.tif", photo)
            write.prophoto(root / f"E/{key}.tif", photo // 2)

    return build


LAYOUTS = {
    "official archive": official,
    "downloader's tree": downloaded,
    "480p set": set_480p,
    "RANDOM250 release": random250,
    "Lightroom exports": exported("C"),
    "Lightroom exports, expert C from expertC/": exported("expertC"),
    "Lightroom exports, expert C from output/": exported("output"),
    "Lightroom exports, expert C from target/": exported("target"),
}


@pytest.fixture(params=LAYOUTS.items(), ids=LAYOUTS.keys())
def layout(request, tmp_path, write):
    name, build = request.param
    build(tmp_path / "data", write)
    return name, tmp_path / "data"


def test_each_layout_is_recognised_and_keyed_by_id(layout):
    name, root = layout
    found = find_fivek(root)
    assert found.layout.startswith(f"MIT-Adobe FiveK, {name}") and "expert C" in found.layout
    assert [pair.key for pair in found.pairs] == sorted(IDS)
    assert not found.bad
    for pair in found.pairs:
        number = IDS.index(pair.key)
        original, expert = render_pair(pair)
        assert np.abs(expert.astype(int) - scene(number)).mean() < 2, "the right photo"
        if pair.original.suffix == ".jpg":
            assert np.abs(original.astype(int) - scene(number) // 2).mean() < 2
        else:
            inner = np.s_[4:-4, 4:-4]
            assert np.abs(original[inner].astype(int) - scene(number)[inner]).mean() < 3


def test_the_folder_above_and_another_expert(layout):
    _, root = layout
    (root.parent / "above").mkdir()
    root.rename(root.parent / "above" / "data")
    found = find_fivek(root.parent / "above", expert="e")
    assert [pair.key for pair in found.pairs] == sorted(IDS)
    assert "expert E" in found.layout
    for pair in found.pairs:
        expert = render_pair(pair)[1].astype(int)
        assert np.abs(expert - scene(IDS.index(pair.key)) // 2).mean() < 2


def test_the_release_numbers_photos_by_their_ids(tmp_path, write_photo):
    """The twenty photos that the authors' script (copy_target.py) copies from the test folder."""
    from_the_script = (
        *(17, 502, 816, 1052, 1415, 1580, 1793, 2049, 2495, 2680),
        *(2867, 3012, 3252, 3322, 3973, 3979, 4113, 4162, 4393, 4831),
    )
    for number in from_the_script:
        for part in ("raw", "target"):
            write_photo(tmp_path / f"C/test/{part}/{number:06d}.jpg")
    keys = {pair.key for pair in find_fivek(tmp_path).pairs}
    assert keys == {f"a{number:04d}" for number in from_the_script}
    assert keys <= held_out_keys("random250")


def test_bad_pairs_are_listed_by_id(tmp_path, write):
    set_480p(tmp_path, write)
    (tmp_path / "expertC/JPG/480p/a0002-DSC.jpg").unlink()
    (tmp_path / "input/JPG/480p/a4999-DSC.jpg").unlink()
    write.jpeg(tmp_path / "input/JPG/480p/sub/a0017-again.jpg")
    write.jpeg(tmp_path / "input/JPG/480p/holiday.jpg")
    (tmp_path / "train_label.txt").write_text("a0005-gone\n")
    found = find_fivek(tmp_path)
    assert not found.pairs
    reasons = {bad.key: bad.reason for bad in found.bad}
    assert "has no expert's version" in reasons["a0002"]
    assert "has no original" in reasons["a4999"]
    assert "duplicate id" in reasons["a0017"] and "a0017-again.jpg" in reasons["a0017"]
    assert "list" in reasons["a0005"]
    assert "no id" in reasons["holiday.jpg"]


def test_an_unknown_layout_is_refused_with_the_known_ones(tmp_path, write_photo):
    write_photo(tmp_path / "input" / "holiday.jpg")
    write_photo(tmp_path / "target" / "holiday.jpg")
    with pytest.raises(PairsError) as refused:
        find_fivek(tmp_path)
    for sketch in ("raw_photos/", "MITAboveFiveK/", "480p/", "000001.jpg", "target/", "--pairs"):
        assert sketch in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises(PairsError, match="no such folder"):
        find_fivek(tmp_path / "gone")


def test_a_missing_expert(tmp_path, write):
    set_480p(tmp_path, write)
    with pytest.raises(PairsError, match="with expert A"):
        find_fivek(tmp_path, expert="a")
