from collections import Counter

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from enhance_cli.imaging.codecs import formats
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.codecs.formats import photos_below
from enhance_cli.imaging.photo import Photo


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.jpg", True), ("a.JPEG", True), ("a.Nef", True), ("a.heic", True), ("a.txt", False),
     ("a", False), (".a.jpg", False), (".jpg", False)],
)  # fmt: skip
def test_a_photo_is_recognised_by_its_suffix(tmp_path, name, expected):
    path = tmp_path / name
    path.touch()
    assert formats.is_photo(path) == expected


@pytest.mark.parametrize(
    ("suffixes", "kind", "kept"),
    [
        (".jpg .jpeg .jpe .jfif .jfi .jif .jps .pjp .pjpeg", "JPEG", True),
        (".tif .tiff", "TIFF", True),
        (".mpo", "MPO", False),
        (".avif", "AVIF", True),
        (".avifs", "AVIF", False),
        (".heic .heif .hif .heics .heifs", "HEIF", False),
        (".jp2 .jpf .jpx", "JPEG2000", False),
    ],
)
def test_photos_have_many_suffixes(tmp_path, suffixes, kind, kept):
    image = Image.new("RGB", (64, 48), (200, 80, 40))
    for number, suffix in enumerate(suffixes.split()):
        path = tmp_path / "in" / f"{number}{suffix.upper()}"
        path.parent.mkdir(exist_ok=True)
        if kind == "HEIF":
            pillow_heif.from_pillow(image).save(path)
        elif kind == "MPO":
            image.save(path, kind, save_all=True, append_images=[image])
        else:
            image.save(path, kind)
        assert list(formats.photos_below(path.parent)) == [path]
        assert (suffix in formats.KEPT) == kept
        assert decode(path).size == (64, 48)
        path.unlink()


def test_a_folder_is_no_photo(tmp_path):
    (tmp_path / "album.jpg").mkdir()
    assert not formats.is_photo(tmp_path / "album.jpg")


def test_photos_are_found_in_the_order_of_names(tmp_path):
    names = ["b.jpg", "a.jpg", "d/a.nef", "c/z/a.png", "c/b.tif", "c/.hidden.jpg", ".hidden/a.jpg",
             "@eaDir/a.jpg", "__MACOSX/a.jpg", "out/a.jpg", "notes.txt"]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = formats.photos_below(tmp_path, without=[(tmp_path / "out").resolve()])
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "a.jpg", "b.jpg", "c/b.tif", "c/z/a.png", "d/a.nef",
    ]  # fmt: skip


def test_a_folder_that_cannot_be_read_is_a_warning(tmp_path):
    warnings = []
    assert list(formats.photos_below(tmp_path / "gone", warnings=warnings)) == []
    assert len(warnings) == 1 and "gone: folder cannot be read" in warnings[0]


def test_other_files_are_counted_but_for_sidecars(tmp_path):
    for name in ("a.nef", "a.xmp", "b.jpg.XMP", "clip.MP4", "notes", ".hidden.mov"):
        (tmp_path / name).touch()
    others = Counter()
    assert [path.name for path in photos_below(tmp_path, others=others)] == ["a.nef"]
    assert others == {".mp4": 1, "": 1}


def test_messages_name_what_is_read_and_written(tmp_path):
    assert formats.formats_read() == (
        "JPEG, PNG, TIFF, WebP, AVIF, HEIC, JPEG XL, JPEG 2000 and RAW"
    )
    named = formats.suffixes_written().replace(" or", ",").split(", ")
    assert len(named) == len(formats.SUFFIXES) - 1
    for suffix in named:
        path = tmp_path / f"a{suffix}"
        write_photo(Photo(np.full((8, 8, 3), 100, np.uint8)), path)
        assert decode(path).size == (8, 8) and path.suffix in formats.PHOTOS
