"""Entropy coding of JPEG XL, as far as color profiles need it (ISO/IEC 18181-1, annex C).

Symbols are coded by prefix codes or by asymmetric numeral systems (ANS). A symbol is a number, or
the beginning of one whose further bits follow, or the order to repeat earlier numbers (LZ77).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from enhance_cli.imaging.codecs.jpegxl.bits import BitReader

_LOG_RANGE = 12
_RANGE = 1 << _LOG_RANGE
"""What the frequencies of a distribution add up to."""

_FINAL_STATE = 0x130000
_LONGEST_CODE = 15
_WINDOW = 1 << 20

_REPEATED = 13
"""The code, in place of a frequency's logarithm, that repeats the frequency before."""

_LOGARITHM_CODES = (
    (3, 0, 10), (3, 2, 7), (3, 4, 6), (3, 5, 8), (3, 6, 9), (4, 3, 3), (4, 7, 5), (4, 9, 4),
    (4, 11, 1), (4, 15, 2), (5, 17, 0), (6, 33, 11), (7, 1, 12), (7, 65, _REPEATED),
)  # fmt: skip
"""Length, bits and meaning of the codes of a frequency's logarithm (C.2.5)."""

_ORDER = (1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15)
"""In which order a prefix code states the lengths of the codes of its lengths (RFC 7932, 3.5)."""

_LENGTH_CODES = {0: (2, 0), 1: (2, 4), 2: (2, 3), 3: (3, 2), 7: (4, 1), 15: (4, 5)}
"""Length and meaning of the codes of these lengths, by their bits."""

_SIMPLE_LENGTHS = ((0,), (1, 1), (1, 2, 2), (2, 2, 2, 2), (1, 2, 3, 3))


class _Split(NamedTuple):
    """How a number is split into a symbol and further bits (C.3.3)."""

    exponent: int
    high: int
    low: int

    def number(self, symbol: int, reader: BitReader) -> int:
        if symbol < 1 << self.exponent:
            return symbol
        inner = self.high + self.low
        count = self.exponent - inner + ((symbol - (1 << self.exponent)) >> inner)
        if count > 32:
            raise ValueError("a number is too large")
        low = symbol & ((1 << self.low) - 1)
        high = 1 << self.high | symbol >> self.low & ((1 << self.high) - 1)
        return ((high << count | reader.bits(count)) << self.low) | low


class _PrefixCode:
    """A prefix code, by the length of each symbol's code; a length of 0 is no code."""

    def __init__(self, lengths: Sequence[int]) -> None:
        ordered = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
        self._only = ordered[0][1] if len(ordered) == 1 else None
        self._codes: dict[tuple[int, int], int] = {}
        code = at = 0
        for length, symbol in ordered:
            code <<= length - at
            at = length
            self._codes[length, code] = symbol
            code += 1

    @classmethod
    def of(cls, symbols: Sequence[int], lengths: Sequence[int]) -> _PrefixCode:
        """A code of a few symbols, in which a single one takes no bits."""
        found = [0] * (max(symbols) + 1)
        for symbol, length in zip(symbols, lengths, strict=True):
            found[symbol] = max(length, 1)
        return cls(found)

    def symbol(self, reader: BitReader) -> int:
        if self._only is not None:
            return self._only
        code = 0
        for length in range(1, _LONGEST_CODE + 1):
            code = code << 1 | reader.bits(1)
            symbol = self._codes.get((length, code))
            if symbol is not None:
                return symbol
        raise ValueError("a code that means nothing")


class _Distribution:
    """A distribution of symbols for ANS, as an alias table (C.2.6)."""

    def __init__(self, frequencies: list[int], log_size: int) -> None:
        size = 1 << log_size
        self._log_entry = _LOG_RANGE - log_size
        entry = 1 << self._log_entry
        self.frequencies = frequencies + [0] * (size - len(frequencies))
        if len(self.frequencies) > size:
            raise ValueError("too many symbols")
        self._right, self._offsets = list(range(size)), [0] * size
        self._cutoffs = self.frequencies.copy()
        only = next((at for at, count in enumerate(frequencies) if count == _RANGE), None)
        if only is not None:
            self._right, self._cutoffs = [only] * size, [0] * size
            self._offsets = [entry * at for at in range(size)]
            return
        self._share_out(entry)
        for at, cutoff in enumerate(self._cutoffs):
            if cutoff == entry:
                self._right[at], self._offsets[at], self._cutoffs[at] = at, 0, 0
            else:
                self._offsets[at] -= cutoff

    def _share_out(self, entry: int) -> None:
        """Fill the entries of rare symbols with the rest of frequent ones."""
        over = [at for at, count in enumerate(self._cutoffs) if count > entry]
        under = [at for at, count in enumerate(self._cutoffs) if count < entry]
        while over:
            donor, taker = over[-1], under.pop()
            self._cutoffs[donor] -= entry - self._cutoffs[taker]
            self._right[taker], self._offsets[taker] = donor, self._cutoffs[donor]
            if self._cutoffs[donor] <= entry:
                over.pop()
                if self._cutoffs[donor] < entry:
                    under.append(donor)

    def look_up(self, value: int) -> tuple[int, int]:
        """A symbol, and the offset of a value among its own."""
        at, place = value >> self._log_entry, value & ((1 << self._log_entry) - 1)
        if place >= self._cutoffs[at]:
            return self._right[at], self._offsets[at] + place
        return at, place


class EntropyDecoder:
    """Decodes numbers, each in one of several contexts.

    Args:
        reader: Stands at the description of the code.
        n_contexts: Number of contexts.

    Raises:
        ValueError: The description is damaged.
    """

    def __init__(self, reader: BitReader, n_contexts: int) -> None:
        self._reader = reader
        self._repeats = reader.flag()
        if self._repeats:
            self._first_repeat = reader.number((0, 224), (0, 512), (0, 4096), (15, 8))
            self._least_repeat = reader.number((0, 3), (0, 4), (2, 5), (8, 9))
            self._repeat_split = _read_split(reader, 8)
            n_contexts += 1  # the last one is that of distances
        self._clusters = _read_clusters(reader, n_contexts) if n_contexts > 1 else [0]
        n_clusters = max(self._clusters) + 1
        by_prefix = reader.flag()
        log_size = _LONGEST_CODE if by_prefix else 5 + reader.bits(2)
        self._splits = [_read_split(reader, log_size) for _ in range(n_clusters)]
        self._state = _FINAL_STATE
        self._prefix_codes: list[_PrefixCode] = []
        self._distributions: list[_Distribution] = []
        if by_prefix:
            sizes = [1 + _read_short(reader, 4) for _ in range(n_clusters)]
            self._prefix_codes = [_read_prefix_code(reader, size) for size in sizes]
        else:
            self._distributions = [
                _Distribution(_read_frequencies(reader), log_size) for _ in range(n_clusters)
            ]
            self._state = reader.bits(32)
        self._numbers: list[int] = []
        self._copied_from = self._to_copy = 0

    def number(self, context: int) -> int:
        """Decode the next number."""
        if not self._to_copy:
            cluster = self._clusters[context]
            symbol = self._symbol(cluster)
            if not self._repeats:
                return self._splits[cluster].number(symbol, self._reader)
            if symbol < self._first_repeat:
                self._numbers.append(self._splits[cluster].number(symbol, self._reader))
                return self._numbers[-1]
            self._begin_copy(symbol)
        self._to_copy -= 1
        self._numbers.append(self._numbers[self._copied_from] if self._numbers else 0)
        self._copied_from += 1
        return self._numbers[-1]

    def finish(self) -> None:
        """Raise a ValueError unless the numbers that were decoded are all there are."""
        if self._state != _FINAL_STATE:
            raise ValueError("its colour profile is damaged")

    def _begin_copy(self, symbol: int) -> None:
        length = self._repeat_split.number(symbol - self._first_repeat, self._reader)
        self._to_copy = length + self._least_repeat
        cluster = self._clusters[-1]
        distance = 1 + self._splits[cluster].number(self._symbol(cluster), self._reader)
        self._copied_from = len(self._numbers) - min(distance, len(self._numbers), _WINDOW)

    def _symbol(self, cluster: int) -> int:
        if self._prefix_codes:
            return self._prefix_codes[cluster].symbol(self._reader)
        distribution = self._distributions[cluster]
        symbol, offset = distribution.look_up(self._state & (_RANGE - 1))
        self._state = distribution.frequencies[symbol] * (self._state >> _LOG_RANGE) + offset
        if self._state < 1 << 16:
            self._state = self._state << 16 | self._reader.bits(16)
        return symbol


def _read_split(reader: BitReader, log_size: int) -> _Split:
    exponent = reader.bits(log_size.bit_length())
    high = low = 0
    if exponent != log_size:
        high = reader.bits(exponent.bit_length())
        low = reader.bits(max(exponent - high, 0).bit_length())
    if high + low > exponent:
        raise ValueError("a number is split into more bits than it has")
    return _Split(exponent, high, low)


def _read_clusters(reader: BitReader, n_contexts: int) -> list[int]:
    """Which of the codes each context uses (C.2.2)."""
    if reader.flag():
        count = reader.bits(2)
        return [reader.bits(count) for _ in range(n_contexts)]
    move_to_front = reader.flag()
    decoder = EntropyDecoder(reader, 1)
    found = [decoder.number(0) for _ in range(n_contexts)]
    decoder.finish()
    if max(found) > 255:
        raise ValueError("too many codes")
    return list(_moved_to_front(found)) if move_to_front else found


def _moved_to_front(indices: Sequence[int]) -> Iterator[int]:
    recent = list(range(256))
    for index in indices:
        value = recent.pop(index)
        recent.insert(0, value)
        yield value


def _read_short(reader: BitReader, width: int) -> int:
    """Read a number that is preceded by its length, which has this many bits."""
    if not reader.flag():
        return 0
    count = reader.bits(width)
    return reader.bits(count) + (1 << count)


def _read_frequencies(reader: BitReader) -> list[int]:
    """Read how often each symbol occurs (C.2.5)."""
    if reader.flag():
        symbols = [_read_short(reader, 3) for _ in range(1 + reader.bits(1))]
        found = [0] * (max(symbols) + 1)
        first = _RANGE if len(symbols) == 1 else reader.bits(_LOG_RANGE)
        found[symbols[-1]] = _RANGE - first
        found[symbols[0]] = first
        return found
    if reader.flag():
        size = 1 + _read_short(reader, 3)
        return [_RANGE // size + (at < _RANGE % size) for at in range(size)]
    ones = 0
    while ones < 3 and reader.flag():
        ones += 1
    shift = reader.bits(ones) + (1 << ones) - 1
    return _frequencies_of(reader, _read_logarithms(reader), shift)


def _read_logarithms(reader: BitReader) -> list[int | None]:
    """Read one more than the logarithm of each frequency; None repeats the one before."""
    size = 3 + _read_short(reader, 3)
    found: list[int | None] = []
    while len(found) < size:
        code = next(c for c in _LOGARITHM_CODES if reader.peek(c[0]) == c[1])
        reader.bits(code[0])
        if code[2] == _REPEATED:
            found += [None] * (4 + _read_short(reader, 3))
        else:
            found.append(code[2])
    return found[:size]


def _frequencies_of(reader: BitReader, logarithms: list[int | None], shift: int) -> list[int]:
    largest = max((one for one in logarithms if one is not None), default=None)
    if largest is None:
        raise ValueError("its colour profile is damaged")
    omitted = logarithms.index(largest)
    found: list[int] = []
    for at, logarithm in enumerate(logarithms):
        if logarithm is None:
            found.append(found[-1] if found else 0)
        elif at == omitted or logarithm == 0:
            found.append(0)
        else:
            exponent = logarithm - 1
            count = max(0, min(exponent, shift - ((_LOG_RANGE - exponent) >> 1)))
            found.append((1 << exponent) + (reader.bits(count) << (exponent - count)))
    found[omitted] = _RANGE - sum(found)
    if found[omitted] <= 0:
        raise ValueError("its colour profile is damaged")
    return found


def _read_prefix_code(reader: BitReader, size: int) -> _PrefixCode:
    """Read a prefix code of a number of symbols (RFC 7932, 3.4 and 3.5)."""
    if size == 1:
        return _PrefixCode.of([0], [0])
    skipped = reader.bits(2)
    if skipped == 1:
        return _read_simple_code(reader, (size - 1).bit_length())
    lengths, room = [0] * len(_ORDER), 32
    for at in _ORDER[skipped:]:
        if room <= 0:
            break
        bits = reader.peek(4)
        width, lengths[at] = next(
            code for key, code in _LENGTH_CODES.items() if bits & ((1 << code[0]) - 1) == key
        )
        reader.bits(width)
        room -= 32 >> lengths[at] if lengths[at] else 0
    if room and sum(map(bool, lengths)) != 1:
        raise ValueError("a prefix code is damaged")
    return _PrefixCode(_read_lengths(reader, _PrefixCode(lengths), size))


def _read_simple_code(reader: BitReader, width: int) -> _PrefixCode:
    count = 1 + reader.bits(2)
    symbols = [reader.bits(width) for _ in range(count)]
    lengths = _SIMPLE_LENGTHS[count if count == 4 and reader.flag() else count - 1]
    return _PrefixCode.of(symbols, lengths)


def _read_lengths(reader: BitReader, code: _PrefixCode, size: int) -> list[int]:
    lengths: list[int] = []
    previous, repeat, repeated, room = 8, 0, 0, 1 << _LONGEST_CODE
    while len(lengths) < size and room > 0:
        symbol = code.symbol(reader)
        if symbol < 16:
            lengths.append(symbol)
            repeat, previous = 0, symbol or previous
            room -= (1 << _LONGEST_CODE) >> symbol if symbol else 0
            continue
        value = previous if symbol == 16 else 0
        repeat, repeated = repeat if value == repeated else 0, value
        before, width = repeat, symbol - 14
        repeat = ((repeat - 2) << width if repeat else 0) + reader.bits(width) + 3
        lengths += [value] * (repeat - before)
        room -= (repeat - before) * ((1 << _LONGEST_CODE) >> value) if value else 0
    if room or len(lengths) > size:
        raise ValueError("a prefix code is damaged")
    return lengths
