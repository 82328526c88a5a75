"""The bits of a JPEG XL codestream, and the numbers that they encode (ISO/IEC 18181-1, 9.2)."""

from __future__ import annotations

_ENUM = ((0, 0), (0, 1), (4, 2), (6, 18))


class BitReader:
    """Reads bits, the lowest of each byte first.

    Attributes:
        position: Number of bits that have been read.
    """

    def __init__(self, content: bytes, position: int = 0) -> None:
        self._content = content
        self.position = position

    def bits(self, count: int) -> int:
        """Read a number of up to 56 bits.

        Raises:
            ValueError: The content ends before.
        """
        if self.position + count > 8 * len(self._content):
            raise ValueError("the file is cut short")
        value = self.peek(count)
        self.position += count
        return value

    def peek(self, count: int) -> int:
        """The next bits, which stay; those after the end are 0."""
        start = self.position >> 3
        word = int.from_bytes(self._content[start : start + 8], "little")
        return word >> (self.position & 7) & ((1 << count) - 1)

    def flag(self) -> bool:
        """Read a bit."""
        return bool(self.bits(1))

    def number(self, *choices: tuple[int, int]) -> int:
        """Read a number in one of four encodings, which the first two bits choose (U32).

        Args:
            choices: Of each encoding, the count of bits and what is added to them.
        """
        count, added = choices[self.bits(2)]
        return added + self.bits(count)

    def long_number(self) -> int:
        """Read a number of up to 64 bits (U64)."""
        selector = self.bits(2)
        if selector < 3:
            return (0, 1, 17)[selector] + self.bits((0, 4, 8)[selector])
        value, shift = self.bits(12), 12
        while self.flag():
            if shift == 60:
                return value | self.bits(4) << shift
            value |= self.bits(8) << shift
            shift += 8
        return value

    def enum(self) -> int:
        """Read a value of an enumeration."""
        return self.number(*_ENUM)

    def signed(self, *choices: tuple[int, int]) -> int:
        """Read a number whose lowest bit is its sign."""
        packed = self.number(*choices)
        return -(packed + 1 >> 1) if packed & 1 else packed >> 1


class BitWriter:
    """Writes bits, the lowest of each byte first."""

    def __init__(self) -> None:
        self._value = 0
        self.length = 0

    def bits(self, count: int, value: int) -> None:
        """Write a number of this many bits."""
        self._value |= value << self.length
        self.length += count

    def long_number(self, value: int) -> None:
        """Write a number of up to 60 bits (U64)."""
        if value < 17:
            selector = min(value, 1)
            self.bits(2, selector)
            self.bits(4 * selector, value - selector)
        elif value < 273:
            self.bits(2, 2)
            self.bits(8, value - 17)
        else:
            self.bits(2, 3)
            self.bits(12, value & 0xFFF)
            value >>= 12
            while value:
                self.bits(1, 1)
                self.bits(8, value & 0xFF)
                value >>= 8
            self.bits(1, 0)

    def copy(self, reader: BitReader, count: int) -> None:
        """Write the next bits of a reader."""
        while count:
            step = min(count, 32)
            self.bits(step, reader.bits(step))
            count -= step

    def number(self, selector: int, count: int = 0, value: int = 0) -> None:
        """Write a number in the encoding of this selector (U32)."""
        self.bits(2, selector)
        self.bits(count, value)

    def enum(self, value: int) -> None:
        """Write a value of an enumeration."""
        selector = next(at for at in (3, 2, 1, 0) if value >= _ENUM[at][1])
        self.number(selector, _ENUM[selector][0], value - _ENUM[selector][1])

    def content(self) -> bytes:
        """The bits that were written, filled up with zeros."""
        return self._value.to_bytes(-(-self.length // 8), "little")
