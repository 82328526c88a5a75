"""Several pictures in a file, against Pillow, which reads CIPA DC-007 on its own."""

from io import BytesIO

import numpy as np
from pictures import smooth
from PIL import Image

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
    (place,) = further_pictures(BytesIO(content))
    assert content[place.start :] == second and place.length == len(second)
    with Image.open(BytesIO(content)) as image:
        assert has_index(image)


def test_an_ordinary_jpeg_lists_none():
    content = jpeg(base())
    assert further_pictures(BytesIO(content)) == []
    with Image.open(BytesIO(content)) as image:
        assert not has_index(image)
