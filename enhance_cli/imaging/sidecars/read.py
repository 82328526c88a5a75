"""The XMP of sidecars and RAW files.

It describes how the file is to be developed, beside what a photographer keeps: title, keywords,
rating, copyright. Results have been developed already, so only the latter is theirs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from enhance_cli.imaging.metadata.read import MAX_LENGTH, TOO_LONG
from enhance_cli.imaging.metadata.xml_packet import Name, XmlError, XmlPacket
from enhance_cli.imaging.metadata.xmp import is_readable, orientation_in, value_in
from enhance_cli.imaging.sidecars.find import find_sidecar

_DEVELOPMENT = frozenset({
    "http://ns.adobe.com/camera-raw-settings/1.0/",
    "http://ns.adobe.com/camera-raw-saved-settings/1.0/",
    "http://darktable.sf.net/",
})  # fmt: skip
"""Namespaces of settings that Adobe's programs and darktable would apply to a result again."""

_TIFF, _EXIF = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/"
_EXTENSION = Name("http://ns.adobe.com/photoshop/1.0/", "SidecarForExtension")

_OF_THE_FILE = frozenset({
    _EXTENSION,
    *(
        Name(_TIFF, local)
        for local in (
            "BitsPerSample", "Compression", "PhotometricInterpretation", "PlanarConfiguration",
            "SamplesPerPixel", "YCbCrPositioning", "YCbCrSubSampling",
        )
    ),
    Name(_EXIF, "CFAPattern"),
})  # fmt: skip
"""Properties of the file that are not those of a result."""

_DECLARATION = re.compile(rb"<\?xml\s[^>]*\?>\s*")
_WRAPPER = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_WRAPPER_END = b'\n<?xpacket end="w"?>'
"""What an XMP packet in a file begins and ends with (XMP specification, part 1, 7.3.2)."""

_QUARTERS = frozenset({1, 3, 6, 8})
"""Orientations without a mirror; no editor mirrors a RAW file."""


class Sidecar(NamedTuple):
    """What the sidecar of a photo says.

    Attributes:
        packet: Its XMP, as it suits a result; None if there is none.
        orientation: The orientation of the photo, as EXIF numbers it, to which the photographer may
            have turned it; None if it states none.
        problem: Why it was left out, or None.
    """

    packet: bytes | None = None
    orientation: int | None = None
    problem: str | None = None


def read_sidecar(photo: Path) -> Sidecar:
    """Read the sidecar of a photo.

    Args:
        photo: The photo's file.

    Returns:
        Nothing if there is none, or if it says that it belongs to a file of another format.
    """
    path = find_sidecar(photo)
    if path is None:
        return Sidecar()
    try:
        with path.open("rb") as file:
            content = file.read(MAX_LENGTH + 1)
    except OSError as problem:
        return Sidecar(problem=f"its sidecar {path.name} was left out: {problem.strerror}")
    if len(content) > MAX_LENGTH:
        return Sidecar(problem=TOO_LONG.format(f"sidecar {path.name}"))
    extension = value_in(content, _EXTENSION).lower()
    if extension and extension != photo.suffix[1:].lower():
        return Sidecar()
    packet = without_development(content)
    if packet is None:
        return Sidecar(problem=f"its sidecar {path.name} cannot be read and was left out")
    orientation = orientation_in(content)
    return Sidecar(packet, orientation if orientation in _QUARTERS else None)


def without_development(packet: bytes) -> bytes | None:
    """Reduce the XMP of a sidecar or RAW file to what holds for a result as well.

    Args:
        packet: The packet, or the content of a sidecar.

    Returns:
        A packet without development settings and properties of the RAW file. None if it cannot be
        read.
    """
    if not is_readable(packet):
        return None
    try:
        xml = XmlPacket(packet)
    except XmlError:
        return None
    for element in xml.walk():
        if _is_of_the_file(element.name):
            xml.cut(element)
            continue
        for attribute in element.attributes:
            if _is_of_the_file(attribute.name):
                xml.cut(attribute)
    described = _DECLARATION.sub(b"", xml.changed(), count=1)
    return described if b"<?xpacket" in described else _WRAPPER + described + _WRAPPER_END


def _is_of_the_file(name: Name) -> bool:
    return name.namespace in _DEVELOPMENT or name in _OF_THE_FILE
