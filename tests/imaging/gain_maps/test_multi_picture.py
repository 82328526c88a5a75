"""Several pictures in a file, against Pillow, which reads CIPA DC-007 on its own."""

import struct
from io import BytesIO

import numpy as np
import pytest
from pictures import smooth
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.gain_maps.multi_picture import further_pictures, has_index, join_pictures
from tests.imaging.gain_maps.ultra_hdr import base, joined, jpeg


def test_pillow_finds_the_pictures_that_are_joined():
    first, second = jpeg(base()), jpeg(smooth(30, 20))
    content = b"".join(join_pictures([first[:2], first[2:20], first[20:]], second))
    with Image.open(BytesIO(content)) as image:
        assert image.format == "MPO" and image.n_frames == 2
        assert np.array_equal(np.asarray(image), np.asarray(Image.open(BytesIO(first))))
        image.seek(1)
        assert np.array_equal(np.asarray(image), np.asarray(Image.open(BytesIO(second))))


def test_the_second_picture_is_found_where_it_is():
    second = jpeg(smooth(30, 20))
    content = joined(base(), second, form="none")
    (place,) = further_pictures(Source(content))
    assert content[place.start :] == second and place.length == len(second)
    with Image.open(BytesIO(content)) as image:
        assert has_index(image)


def test_an_ordinary_jpeg_lists_none():
    content = jpeg(base())
    assert further_pictures(Source(content)) == []
    with Image.open(BytesIO(content)) as image:
        assert not has_index(image)


@pytest.mark.parametrize(
    ("kind", "several"),
    [(0x020001, True), (0x020002, True), (0x020003, True), (0x010001, False), (0x010002, False)],
    ids=["panorama", "stereo", "angles", "preview", "large preview"],
)
@pytest.mark.parametrize("long_edge", [None, 100])
@pytest.mark.proves("Several pictures in a file", "only the first is read, with a warning")
def test_views_are_lost_with_a_warning(tmp_path, kind, several, long_edge):
    path = tmp_path / "a.jpg"
    Image.fromarray(base()).save(
        path, "MPO", save_all=True, append_images=[Image.fromarray(base())]
    )
    content = path.read_bytes()
    index = content.index(b"MPF\0") + 4
    tag = content.index(struct.pack("<HHI", 0xB002, 7, 32), index)
    second = index + struct.unpack_from("<I", content, tag + 8)[0] + 16
    path.write_bytes(content[:second] + struct.pack("<I", kind) + content[second + 4 :])
    warnings = decode(path, long_edge).warnings
    assert warnings == (("contains several images, only the first was read",) if several else ())
