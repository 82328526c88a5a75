"""The ICC profile of a JPEG XL, which is packed by predictions (ISO/IEC 18181-1, annex B)."""

from __future__ import annotations

from enhance_cli.imaging.codecs.jpegxl.bits import BitReader, BitWriter
from enhance_cli.imaging.codecs.jpegxl.entropy import EntropyDecoder

_N_CONTEXTS = 41

_MAX_LENGTH = 2**20
"""Longest profile that is read, in bytes. Those of displays have some kilobytes."""

_HEADER = bytearray(128)
_HEADER[8], _HEADER[12:24], _HEADER[36:40] = 4, b"mntrRGB XYZ ", b"acsp"
_HEADER[70:72], _HEADER[73], _HEADER[78:80] = b"\xf6\xd6", 1, b"\xd3\x2d"
"""What the header of a profile is predicted to be."""

_PLATFORMS = (b"APPL", b"MSFT", b"SGI ", b"SUNW")
_PLATFORM, _VERSION, _CREATOR = 40, 4, 80

_TAGS = (
    b"cprt", b"wtpt", b"bkpt", b"rXYZ", b"gXYZ", b"bXYZ", b"kXYZ", b"rTRC", b"gTRC", b"bTRC",
    b"kTRC", b"chad", b"desc", b"chrm", b"dmnd", b"dmdd", b"lumi",
)  # fmt: skip
_OF_THREE_NUMBERS = {b"rXYZ", b"gXYZ", b"bXYZ", b"kXYZ", b"wtpt", b"bkpt", b"lumi"}
_TYPES = (b"XYZ ", b"desc", b"text", b"mluc", b"para", b"curv", b"sf32", b"gbd ")

_UNKNOWN_TAG, _CURVES, _COLORANTS, _FIRST_TAG = 1, 2, 3, 4
_HAS_OFFSET, _HAS_SIZE = 64, 128
"""Commands of the list of tags."""

_INSERT, _PLANES_OF_2, _PLANES_OF_4, _PREDICT, _NUMBERS, _FIRST_TYPE = 1, 2, 3, 4, 10, 16
"""Commands of the content."""


def read_icc(reader: BitReader) -> bytes:
    """Read the ICC profile at which the reader stands.

    Raises:
        ValueError: The profile is damaged or very long.
    """
    size = reader.long_number()
    if size > _MAX_LENGTH:
        raise ValueError("its colour profile is too long")
    decoder = EntropyDecoder(reader, _N_CONTEXTS)
    packed = bytearray(2)
    for at in range(size):
        packed.append(decoder.number(_context(at, packed[-1], packed[-2])) & 0xFF)
    decoder.finish()
    return _Unpacking(bytes(packed[2:])).profile()


def write_icc(writer: BitWriter, profile: bytes) -> None:
    """Write an ICC profile, with one code of 8 bits for every byte.

    Raises:
        ValueError: It is too short to be a profile.
    """
    if len(profile) <= len(_HEADER):
        raise ValueError("its colour profile is too short")
    commands = bytes((0, _INSERT)) + _number(len(profile) - len(_HEADER))
    size = len(profile)
    differences = (profile[at] - _predicted(size, profile[:at], at) for at in range(len(_HEADER)))
    packed = _number(len(profile)) + _number(len(commands)) + commands
    packed += bytes(one & 0xFF for one in differences) + profile[len(_HEADER) :]
    writer.long_number(len(packed))
    writer.bits(1, 0)  # no repeats
    writer.bits(3, 1)  # a single code for all contexts
    writer.bits(1, 1)  # a prefix code
    for width, value in ((4, 8), (4, 0), (4, 0)):  # for numbers of 8 bits
        writer.bits(width, value)
    for width, value in ((1, 1), (4, 7), (7, 127)):  # of 256 symbols
        writer.bits(width, value)
    writer.bits(2, 0)
    for at in _LENGTHS_IN_ORDER:  # of which all have codes of 8 bits
        writer.bits(2, 1 if at == 8 else 0)
    for byte in packed:
        writer.bits(8, int(f"{byte:08b}"[::-1], 2))


_LENGTHS_IN_ORDER = (1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15)


def _number(value: int) -> bytes:
    """Seven bits a byte, as :meth:`_Stream.number` reads them."""
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def _context(at: int, last: int, before: int) -> int:
    return 0 if at <= 128 else 1 + _kind(last) + 8 * _KINDS_BEFORE[_kind(before)]


_KINDS_BEFORE = (0, 1, 2, 2, 2, 3, 3, 4)


def _kind(byte: int) -> int:
    if bytes((byte,)).isalpha():
        return 0
    if byte in b"0123456789.,":
        return 1
    if byte < 16:
        return min(2 + byte, 4)
    return (7, 5, 6)[(byte > 240) + (byte == 255)]


class _Stream:
    """Bytes that are taken from the front."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def take(self, count: int) -> bytes:
        if count > len(self.content):
            raise ValueError("its colour profile is damaged")
        taken, self.content = self.content[:count], self.content[count:]
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """Seven bits a byte, the lowest first; the eighth says that more follow."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError("its colour profile is damaged")


class _Unpacking:
    """A profile that is put together of commands and data."""

    def __init__(self, packed: bytes) -> None:
        self._data = _Stream(packed)
        self._size, commands = self._data.number(), self._data.number()
        if self._size > _MAX_LENGTH:
            raise ValueError("its colour profile is too long")
        self._commands = _Stream(self._data.take(commands))
        self._made = bytearray()

    def profile(self) -> bytes:
        self._unpack_header()
        if len(self._made) < self._size:
            self._unpack_tags()
        while self._commands.content and len(self._made) <= self._size:
            self._unpack_content(self._commands.byte())
        if len(self._made) != self._size or self._data.content:
            raise ValueError("its colour profile is damaged")
        return bytes(self._made)

    def _unpack_header(self) -> None:
        for at in range(min(self._size, len(_HEADER))):
            predicted = _predicted(self._size, self._made, at)
            self._made.append(self._data.byte() + predicted & 0xFF)

    def _unpack_tags(self) -> None:
        count = self._commands.number()
        if not count:
            return
        self._append_number(count - 1)
        start, size = len(_HEADER) + 12 * (count - 1), 0
        while self._commands.content and len(self._made) <= self._size:
            command = self._commands.byte()
            code = command & 63
            if not code:
                return
            tag = self._tag_of(code)
            start = self._commands.number() if command & _HAS_OFFSET else start + size
            size = 20 if tag in _OF_THREE_NUMBERS else size
            size = self._commands.number() if command & _HAS_SIZE else size
            same, apart = (tag,), 0
            if code == _CURVES:
                same = (b"rTRC", b"gTRC", b"bTRC")
            elif code == _COLORANTS:
                same, apart = (b"rXYZ", b"gXYZ", b"bXYZ"), size
            for number, name in enumerate(same):
                self._made += name
                self._append_number(start + number * apart)
                self._append_number(size)

    def _tag_of(self, code: int) -> bytes:
        if code == _UNKNOWN_TAG:
            return self._data.take(4)
        if code in {_CURVES, _COLORANTS}:
            return b"rTRC" if code == _CURVES else b"rXYZ"
        return _TAGS[code - _FIRST_TAG]

    def _unpack_content(self, command: int) -> None:
        if command == _INSERT:
            self._made += self._data.take(self._commands.number())
        elif command in {_PLANES_OF_2, _PLANES_OF_4}:
            content = self._data.take(self._commands.number())
            self._made += _interleaved(content, 2 if command == _PLANES_OF_2 else 4)
        elif command == _PREDICT:
            self._unpack_predicted()
        elif command == _NUMBERS:
            self._made += b"XYZ " + bytes(4) + self._data.take(12)
        elif _FIRST_TYPE <= command < _FIRST_TYPE + len(_TYPES):
            self._made += _TYPES[command - _FIRST_TYPE] + bytes(4)
        else:
            raise ValueError("its colour profile is damaged")

    def _unpack_predicted(self) -> None:
        """Add differences to what the numbers before predict, of 1, 2 or 4 bytes."""
        flags = self._commands.byte()
        width, order = (flags & 3) + 1, flags >> 2 & 3
        stride = self._commands.number() if flags & 16 else width
        if width == 3 or order == 3 or stride < width or 4 * stride >= len(self._made):
            raise ValueError("its colour profile is damaged")
        content = _interleaved(self._data.take(self._commands.number()), width)
        start, weights = len(self._made), ((1,), (2, -1), (3, -3, 1))[order]
        for at, difference in enumerate(content):
            place = start + at - at % width
            predicted = 0
            for number, weight in enumerate(weights, 1):
                before = place - number * stride
                predicted += weight * int.from_bytes(self._made[before : before + width])
            shift = 8 * (width - 1 - at % width)
            self._made.append(difference + (predicted >> shift) & 0xFF)

    def _append_number(self, value: int) -> None:
        self._made += (value & 0xFFFFFFFF).to_bytes(4)


def _predicted(size: int, before: bytes | bytearray, at: int) -> int:
    """What a byte of the header of a profile of this size is predicted to be by those before."""
    if at < 4:
        return size.to_bytes(4)[at]
    if _CREATOR <= at < _CREATOR + 4:
        return before[at - _CREATOR + _VERSION]
    if _PLATFORM < at < _PLATFORM + 4:
        # By its first letter, or by two letters if it begins with S.
        begun = bytes(before[_PLATFORM : _PLATFORM + 2])
        begun = begun if begun[:1] == b"S" else begun[:1]
        found = (name for name in _PLATFORMS if name.startswith(begun) and begun != b"S")
        return next(found, bytes(4))[at - _PLATFORM]
    return _HEADER[at]


def _interleaved(content: bytes, width: int) -> bytes:
    """Bring together the bytes of numbers, of which each place was stored by itself."""
    if width == 1:
        return content
    rows = -(-len(content) // width)
    return b"".join(content[row::rows] for row in range(rows))
