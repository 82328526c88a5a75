"""DNG files of linear RGB, with and without a thumbnail in front."""

import tifffile
from pictures import smooth

XYZ_TO_SRGB = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)
TAGS = [
    (50706, "B", 4, bytes([1, 7, 0, 0]), True),  # DNGVersion
    (50708, "s", 0, "Test Camera", True),
    (50717, "H", 3, (65535,) * 3, True),  # WhiteLevel
    (50721, "2i", 9, [n for v in XYZ_TO_SRGB for n in (round(v * 10000), 10000)], True),
    (50728, "2I", 3, (1, 1) * 3, True),  # AsShotNeutral
    (50778, "H", 1, 21, True),
]


def write_linear(path, pixels, compression, nested, **options):
    shown = {"photometric": "linear_raw", "planarconfig": "contig", "metadata": None, **options}
    with tifffile.TiffWriter(path) as tiff:
        if nested:
            tags = [*TAGS[:2], *TAGS[3:]]
            thumbnail = smooth(30, 20)
            tiff.write(thumbnail, photometric="rgb", subfiletype=1, subifds=1, extratags=tags,
                       metadata=None)  # fmt: skip
            tiff.write(pixels, compression=compression, extratags=[TAGS[2]], **shown)
        else:
            tiff.write(pixels, compression=compression, extratags=TAGS, **shown)
