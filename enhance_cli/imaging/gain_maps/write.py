"""Writing a photo with its gain map as a JPEG, described as Ultra HDR and as ISO 21496-1.

Both descriptions are always written: Android 14 reads the first alone, Apple's systems the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from enhance_cli.imaging.containers.jpeg_segments import APP2, build_segment
from enhance_cli.imaging.gain_maps import hdrgm, iso_21496
from enhance_cli.imaging.gain_maps.gain_map import GainMap

_QUALITY = 95
"""Quality of the map's JPEG, whatever that of the photo: an error in it multiplies light."""


def encode_gain_map(gain_map: GainMap) -> bytes:
    """Encode a map as a JPEG with its description; nothing else of the original's is in it."""
    space = gain_map.color_space
    profile = space.profile if space else None
    with BytesIO() as file:
        Image.fromarray(gain_map.pixels).save(
            file,
            "JPEG",
            quality=_QUALITY,
            subsampling="4:4:4",
            optimize=True,
            icc_profile=profile,
            xmp=hdrgm.write(gain_map.parameters),
            extra=build_segment(APP2, iso_21496.write(gain_map.parameters)),
        )
        return file.getvalue()


@dataclass(frozen=True)
class Announcement:
    """What the photo's own JPEG says of the map behind it.

    Attributes:
        xmp: The photo's packet with the list of pictures.
        segment: The segment of ISO 21496-1.
    """

    xmp: bytes | None
    segment: bytes


def announce(packet: bytes | None, further: bytes, limit: int) -> Announcement:
    """Say in a photo's JPEG that a map follows.

    Args:
        packet: XMP of the photo, or None.
        further: The map's JPEG.
        limit: Longest packet, in bytes. A longer one stays without the list of pictures.
    """
    whole = hdrgm.announce(packet, len(further))
    fits = whole is not None and len(whole) <= limit
    return Announcement(whole if fits else packet, build_segment(APP2, iso_21496.VERSION))
