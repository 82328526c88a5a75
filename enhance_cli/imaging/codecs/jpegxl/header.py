"""The header of a JPEG XL codestream (ISO/IEC 18181-1, annex D)."""

from __future__ import annotations

from typing import NamedTuple

from enhance_cli.imaging.codecs.jpegxl.bits import BitReader, BitWriter
from enhance_cli.imaging.codecs.jpegxl.icc import read_icc, write_icc
from enhance_cli.imaging.resize import Size

CODESTREAM = b"\xff\x0a"

_SIDES = ((9, 1), (13, 1), (18, 1), (30, 1))
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, by the number that the header gives instead of the width."""

_PREVIEW_IN_EIGHTS, _PREVIEW_SIDES = ((0, 16), (0, 32), (5, 1), (9, 33)), (
    (6, 1), (8, 65), (10, 321), (12, 1345),
)  # fmt: skip
_COORDINATES = ((19, 0), (19, 524288), (20, 1048576), (21, 2097152))
_MILLIONTHS, _GAMMA_UNIT = 1e-6, 1e-7

_ALPHA, _SPOT, _BLACK, _PATTERN = 0, 2, 4, 5
"""Types of extra channels; that of a color filter is the last of these."""

_GREY, _XYB = 1, 2
"""Color spaces; 0 is RGB."""

_D65, _SRGB, _CUSTOM = 1, 1, 2
_WHITES = {_D65: (0.3127, 0.3290), 10: (1 / 3, 1 / 3), 11: (0.314, 0.351)}
_PRIMARIES = {
    _SRGB: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
SRGB_CURVE, LINEAR = 13, 8
_RELATIVE = 1
"""Transfer functions have the code points of ITU-T H.273."""

_FLOAT_BITS, _FLOAT_EXPONENT = 32, 8

_LONG_DEPTH = 1 + 2 + 6
"""Bits of a depth of integers that is not 8, 10 or 12."""


class Depth(NamedTuple):
    """Bits of a sample, and how many of them are an exponent: 0 for integers."""

    bits: int = 8
    exponent: int = 0


class Color(NamedTuple):
    """The color space that a header names.

    Attributes:
        grey: Whether there is one channel of color. A profile says so itself.
        chromaticities: x and y of red, green, blue and white.
        transfer: Transfer function, a code point of ITU-T H.273.
        gamma: Exponent from the stored numbers to light, in place of the transfer function.
        profile: ICC profile, in place of all others; empty if it cannot be read.
    """

    grey: bool = False
    chromaticities: tuple[tuple[float, float], ...] = (*_PRIMARIES[_SRGB], _WHITES[_D65])
    transfer: int = SRGB_CURVE
    gamma: float | None = None
    profile: bytes | None = None


SRGB = Color()


class Fields(NamedTuple):
    """Positions of bits: where a part begins, and where the next one does."""

    depth: int
    after_depth: int
    color: int
    after_color: int
    extensions: int


class Header(NamedTuple):
    """What a codestream says of itself.

    Attributes:
        size: Width and height, before it is turned upright.
        orientation: As EXIF numbers it. libjxl turns the pixels.
        animated: Whether there are several pictures.
        depth: Depth of the colors. If they are compressed in ``xyb``, that of what was compressed.
        alpha: Whether there is an opacity.
        multiplied: Whether the colors are multiplied by it.
        inks: Whether there is a black ink, so that the colors are CMYK.
        more_channels: Whether there are others, such as depth or spot colors.
        xyb: Whether the colors are compressed in the color space XYB, with loss.
        color: The color space of the picture.
        fields: Where parts of it stand; None if all is as usual.
    """

    size: Size
    orientation: int = 1
    animated: bool = False
    depth: Depth = Depth()
    alpha: bool = False
    multiplied: bool = False
    inks: bool = False
    more_channels: bool = False
    xyb: bool = True
    color: Color = Color()
    fields: Fields | None = None

    @property
    def becomes_light(self) -> bool:
        """Whether libjxl decodes to linear light in sRGB's primaries, whatever the color space."""
        color = self.color
        other_grey = color.grey and color.chromaticities[3] != _WHITES[_D65]
        return self.xyb and (color.profile is not None or other_grey)


class _Extra(NamedTuple):
    """An extra channel: its type, and whether colors are multiplied by it."""

    kind: int
    multiplied: bool = False


def read_header(codestream: bytes) -> Header:
    """Read the header of a codestream.

    Raises:
        ValueError: It is damaged, or cut short.
    """
    reader = BitReader(codestream, 8 * len(CODESTREAM))
    size = _read_size(reader)
    if reader.flag():  # all as usual
        return Header(size)
    extended = reader.flag()
    orientation, animated = _read_extended(reader) if extended else (1, False)
    depth_at = reader.position
    depth = _read_depth(reader)
    depth_end = reader.position
    reader.bits(1)
    count = reader.number((0, 0), (0, 1), (4, 2), (12, 1))
    extras = [_read_extra(reader) for _ in range(count)]
    xyb, color_at = reader.flag(), reader.position
    color, color_end = _read_color(reader), reader.position
    if extended and not reader.flag():  # tone mapping
        reader.bits(16 + 16 + 1 + 16)
    extensions_at = reader.position
    if color is None:
        color = _read_profile(reader)
    opacity = next((extra for extra in extras if extra.kind == _ALPHA), None)
    return Header(
        size,
        orientation,
        animated,
        depth,
        alpha=opacity is not None,
        multiplied=opacity is not None and opacity.multiplied,
        inks=any(extra.kind == _BLACK for extra in extras),
        more_channels=len(extras) > (opacity is not None),
        xyb=xyb,
        color=color,
        fields=Fields(depth_at, depth_end, color_at, color_end, extensions_at),
    )


def with_float_depth(codestream: bytes, header: Header) -> bytes:
    """Say that a picture in XYB was made of floats, so that libjxl gives all it knows of it.

    It decodes to light of sRGB if there is an ICC profile, and would cut off at 0 and 1 and round
    to the depth of the header.
    """
    fields = header.fields
    assert fields is not None  # it has a profile
    reader, writer = BitReader(codestream), BitWriter()
    writer.copy(reader, fields.depth)
    writer.bits(1, 1)
    # Numbers have longer forms too: all that follows must keep its place in the bytes. Which form
    # of the depth is chosen leaves no more than five groups of 9 bits to fill in below.
    if fields.after_depth - fields.depth == _LONG_DEPTH:
        writer.number(0)
    else:
        writer.number(3, 6, _FLOAT_BITS - 1)
    writer.bits(4, _FLOAT_EXPONENT - 1)
    reader.bits(fields.after_depth - fields.depth)
    writer.copy(reader, fields.extensions - fields.after_depth)
    if reader.bits(2):
        return codestream  # there are extensions, which nobody has defined yet
    writer.bits(2, 3)
    writer.bits(12, 0)
    while (writer.length + 1 - reader.position) % 8:
        writer.bits(9, 1)
    writer.bits(1, 0)
    writer.copy(reader, -reader.position % 8)
    return writer.content() + codestream[reader.position // 8 :]


def with_color(codestream: bytes, bits: int, color: Color) -> bytes:
    """Say what the color space and the depth of a new codestream are.

    Args:
        codestream: From the encoder, with a header that names another color space.
        bits: Bits per channel, 8 or 16.
        color: The color space.

    Raises:
        ValueError: The header is of another kind than libjxl's encoder writes.
    """
    fields = read_header(codestream).fields
    if fields is None:
        if bits == 8 and color == SRGB:
            return codestream
        raise ValueError("a header without a colour space")
    reader, writer = BitReader(codestream), BitWriter()
    writer.copy(reader, fields.depth)
    writer.bits(1, 0)
    writer.number(*((3, 6, bits - 1) if bits > 8 else (0,)))
    reader.position = fields.after_depth
    writer.copy(reader, fields.color - fields.after_depth)
    _write_color(writer, color)
    reader.position = fields.after_color
    writer.copy(reader, fields.extensions - fields.after_color)
    if reader.bits(2) or not reader.flag():
        raise ValueError("a header with extensions or transforms")
    writer.bits(2, 0)
    writer.bits(1, 1)
    if color.profile:
        write_icc(writer, color.profile)
    return writer.content() + codestream[-(-reader.position // 8) :]


def _write_color(writer: BitWriter, color: Color) -> None:
    writer.bits(1, color == SRGB)
    if color == SRGB:
        return
    writer.bits(1, bool(color.profile))
    writer.enum(_GREY if color.grey else 0)
    if color.profile:
        return
    *primaries, white = color.chromaticities
    if white == _WHITES[_D65]:
        writer.enum(_D65)
    else:
        writer.enum(_CUSTOM)
        _write_point(writer, white)
    if not color.grey:
        writer.enum(_CUSTOM)
        for point in primaries:
            _write_point(writer, point)
    writer.bits(1, color.gamma is not None)
    if color.gamma is None:
        writer.enum(color.transfer)
    else:
        writer.bits(24, round(1 / color.gamma / _GAMMA_UNIT))
    writer.enum(_RELATIVE)


def _write_point(writer: BitWriter, point: tuple[float, float]) -> None:
    for coordinate in point:
        packed = 2 * round(coordinate / _MILLIONTHS)
        selector = next(at for at in (3, 2, 1, 0) if packed >= _COORDINATES[at][1])
        writer.number(selector, _COORDINATES[selector][0], packed - _COORDINATES[selector][1])


def _read_size(reader: BitReader) -> Size:
    eighths = reader.flag()

    def side() -> int:
        return 8 * (1 + reader.bits(5)) if eighths else reader.number(*_SIDES)

    height, ratio = side(), reader.bits(3)
    if not ratio:
        return Size(side(), height)
    across, down = _RATIOS[ratio - 1]
    return Size(height * across // down, height)


def _read_extended(reader: BitReader) -> tuple[int, bool]:
    """Read the orientation, and whether there is an animation."""
    orientation = 1 + reader.bits(3)
    if reader.flag():  # the size at which it is to be shown
        _read_size(reader)
    if reader.flag():  # a preview
        choices = _PREVIEW_IN_EIGHTS if reader.flag() else _PREVIEW_SIDES
        reader.number(*choices)
        if not reader.bits(3):
            reader.number(*choices)
    animated = reader.flag()
    if animated:
        reader.number((0, 100), (0, 1000), (10, 1), (30, 1))
        reader.number((0, 1), (0, 1001), (8, 1), (10, 1))
        reader.number((0, 0), (3, 0), (16, 0), (32, 0))
        reader.bits(1)
    return orientation, animated


def _read_depth(reader: BitReader) -> Depth:
    if reader.flag():
        return Depth(reader.number((0, 32), (0, 16), (0, 24), (6, 1)), 1 + reader.bits(4))
    return Depth(reader.number((0, 8), (0, 10), (0, 12), (6, 1)))


def _read_extra(reader: BitReader) -> _Extra:
    if reader.flag():
        return _Extra(_ALPHA)
    kind = reader.enum()
    _read_depth(reader)
    reader.number((0, 0), (0, 3), (0, 4), (3, 1))
    for _ in range(reader.number((0, 0), (4, 0), (5, 16), (10, 48))):  # its name
        reader.bits(8)
    multiplied = kind == _ALPHA and reader.flag()
    if kind == _SPOT:
        for _ in range(4):
            reader.bits(16)
    if kind == _PATTERN:
        reader.number((0, 1), (2, 0), (4, 3), (8, 19))
    return _Extra(kind, multiplied)


def _read_color(reader: BitReader) -> Color | None:
    """Read what is said of the color; None if there is an ICC profile, which follows later."""
    if reader.flag():
        return Color()
    packed, space = reader.flag(), reader.enum()
    if packed:
        return None
    if space == _XYB:
        raise ValueError("its colours are XYB")
    white_kind = reader.enum()
    white = _read_point(reader) if white_kind == _CUSTOM else _WHITES[white_kind]
    primaries = _PRIMARIES[_SRGB]
    if space != _GREY:
        kind = reader.enum()
        custom = kind == _CUSTOM
        primaries = tuple(_read_point(reader) for _ in "RGB") if custom else _PRIMARIES[kind]
    gamma = transfer = None
    if reader.flag():
        gamma = 1 / max(1, reader.bits(24)) / _GAMMA_UNIT
    else:
        transfer = reader.enum()
    reader.enum()  # rendering intent
    return Color(space == _GREY, (*primaries, white), transfer or SRGB_CURVE, gamma)


def _read_point(reader: BitReader) -> tuple[float, float]:
    x, y = (reader.signed(*_COORDINATES) * _MILLIONTHS for _ in "xy")
    return x, y


def _read_profile(reader: BitReader) -> Color:
    """Read the profile, which follows extensions and transforms; none if it cannot be read."""
    if reader.long_number() or not reader.flag():
        return Color(profile=b"")
    try:
        return Color(profile=read_icc(reader))
    except (ValueError, IndexError):
        return Color(profile=b"")
