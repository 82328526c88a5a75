"""The description of a gain map in XMP, by Adobe and Google (Ultra HDR image format 1.1)."""

from __future__ import annotations

from enhance_cli.imaging.gain_maps.gain_map import (
    OFFSET,
    GainMapError,
    GainMapParameters,
    Triple,
)
from enhance_cli.imaging.gain_maps.multi_picture import Place
from enhance_cli.imaging.metadata.xml_packet import Element, Name, XmlError, XmlPacket

_NAMESPACE = "http://ns.adobe.com/hdr-gain-map/1.0/"
_ITEM = "http://ns.google.com/photos/1.0/container/item/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_ABOUT = Name(_RDF, "about")

_PACKET = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="' + _RDF.encode() + b'">'
    b'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)

_GAIN_MAP = "GainMap"

_ANNOUNCED = (
    '<rdf:Description xmlns:rdf="{rdf}" rdf:about="{about}" xmlns:hdrgm="{hdrgm}" '
    'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
    'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" hdrgm:Version="1.0">'
    '<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource">'
    '<Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>'
    '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" '
    'Item:Mime="image/jpeg" Item:Length="{length}"/></rdf:li></rdf:Seq></Container:Directory>'
    "</rdf:Description>"
)


_DEFAULTS = {
    "GainMapMin": 0.0,
    "GainMapMax": None,
    "Gamma": 1.0,
    "OffsetSDR": OFFSET,
    "OffsetHDR": OFFSET,
    "HDRCapacityMin": 0.0,
    "HDRCapacityMax": None,
}
"""The properties, and what they are if they are absent; None if they may not be."""


def read(packet: bytes) -> GainMapParameters | None:
    """Read the description from the packet of the map.

    Returns:
        The numbers; None if the packet holds none.

    Raises:
        GainMapError: They are damaged, or the photo is the HDR rendition.
    """
    found = _values_in(packet)
    if not found.keys() & {"GainMapMax", "HDRCapacityMax"}:
        return None
    if found.get("BaseRenditionIsHDR", ["False"])[0].lower() == "true":
        raise GainMapError("the photo is the HDR rendition")
    try:
        numbers = {name: _triple(found, name, default) for name, default in _DEFAULTS.items()}
    except (ValueError, KeyError) as problem:
        raise GainMapError("its description is damaged") from problem
    return GainMapParameters(
        numbers["GainMapMin"],
        numbers["GainMapMax"],
        numbers["Gamma"],
        numbers["OffsetSDR"],
        numbers["OffsetHDR"],
        numbers["HDRCapacityMin"][0],
        numbers["HDRCapacityMax"][0],
    )


def write(parameters: GainMapParameters) -> bytes:
    """Write the packet of the map."""
    values = {
        "GainMapMin": parameters.minimum,
        "GainMapMax": parameters.maximum,
        "Gamma": parameters.gamma,
        "OffsetSDR": parameters.base_offset,
        "OffsetHDR": parameters.alternate_offset,
    }
    single = {name: kind[0] for name, kind in values.items() if len(set(kind)) == 1}
    single |= {"HDRCapacityMin": parameters.base_headroom}
    single |= {"HDRCapacityMax": parameters.alternate_headroom}
    attributes = "".join(f' hdrgm:{name}="{_number(value)}"' for name, value in single.items())
    lists = "".join(
        f"<hdrgm:{name}><rdf:Seq>"
        + "".join(f"<rdf:li>{_number(value)}</rdf:li>" for value in kind)
        + f"</rdf:Seq></hdrgm:{name}>"
        for name, kind in values.items()
        if name not in single
    )
    description = (
        f'<rdf:Description rdf:about="" xmlns:hdrgm="{_NAMESPACE}" hdrgm:Version="1.0"{attributes} '
        f'hdrgm:BaseRenditionIsHDR="False">{lists}</rdf:Description>'
    )
    return _PACKET.replace(b"</rdf:RDF>", description.encode() + b"</rdf:RDF>")


def announce(packet: bytes | None, length: int) -> bytes | None:
    """Say in the photo's packet that a gain map follows the photo.

    Args:
        packet: The packet, which says nothing of a gain map yet; None if the photo has none.
        length: Length of the map's picture, in bytes.

    Returns:
        The packet; None if it has no place for this.
    """
    try:
        xml = XmlPacket(packet or _PACKET)
    except XmlError:
        return None
    target = next((one for one in xml.walk() if one.name == Name(_RDF, "RDF")), None)
    if target is None or target.content_end < target.content:
        return None
    values = {"rdf": _RDF, "about": _subject(xml, target), "hdrgm": _NAMESPACE}
    xml.insert(target.content_end, _ANNOUNCED.format(length=length, **values).encode())
    return xml.changed()


def announced(packet: bytes) -> Place | None:
    """Where a photo's packet says that the gain map is: its distance to the end of the file.

    Returns:
        The distance, in place of a start, and the length; None if nothing is said of a map.
    """
    if _GAIN_MAP.encode() not in packet:
        return None
    try:
        xml = XmlPacket(packet)
    except XmlError:
        return None
    items = [_item(element) for element in xml.walk()]
    items = [item for item in items if "Semantic" in item]
    for number, item in enumerate(items):
        if item["Semantic"] == _GAIN_MAP:
            lengths = [_whole(one.get("Length")) for one in items[number:]]
            padding = [_whole(one.get("Padding")) for one in items[number:]]
            return Place(sum(lengths) + sum(padding), lengths[0])
    return None


def _item(element: Element) -> dict[str, str]:
    """The properties of an entry of the list of pictures; none if it is something else."""
    stated = [(attribute.name, attribute.value) for attribute in element.attributes]
    stated += [(child.name, child.text) for child in element.children]
    return {name.local: value.strip() for name, value in stated if name.namespace == _ITEM}


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 0


def _subject(xml: XmlPacket, rdf: Element) -> str:
    """What the packet calls the photo, as spelled there; all parts must use the same name."""
    for element in rdf.children:
        for attribute in element.attributes:
            if attribute.name == _ABOUT:
                value = xml.bytes[attribute.value_start : attribute.value_end]
                return value.decode().replace('"', "&quot;")
    return ""


def _values_in(packet: bytes) -> dict[str, list[str]]:
    """The properties of a gain map, each with its value or the items of its list."""
    try:
        xml = XmlPacket(packet)
    except XmlError:
        return {}
    found: dict[str, list[str]] = {}
    for element in xml.walk():
        if element.name.namespace == _NAMESPACE:
            items = [one.text for child in element.children for one in child.children]
            found[element.name.local] = items or [element.text]
        for attribute in element.attributes:
            if attribute.name.namespace == _NAMESPACE:
                found[attribute.name.local] = [attribute.value]
    return {name: [value.strip() for value in values] for name, values in found.items()}


def _triple(found: dict[str, list[str]], name: str, default: float | None) -> Triple:
    if name not in found and default is not None:
        return default, default, default
    values = [float(value) for value in found[name]]
    if len(values) == 1:
        values *= 3
    red, green, blue = values
    return red, green, blue


def _number(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".")
