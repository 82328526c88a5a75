"""The binary description of a gain map, against libultrahdr and annex C of ISO 21496-1."""

import struct

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enhance_cli.imaging.gain_maps import iso_21496
from enhance_cli.imaging.gain_maps.gain_map import GainMapError, GainMapParameters
from tests.imaging.gain_maps.ultra_hdr import ISO, STOPS, iso_of_map

TRIPLES = st.tuples(*(st.floats(-20, 20) for _ in range(3)))
POSITIVE = st.tuples(*(st.floats(0.01, 20) for _ in range(3)))


def test_a_segment_by_the_standard_is_read():
    numbers = iso_21496.read(iso_of_map()[4:])
    assert numbers.minimum == (0, 0, 0) and numbers.maximum == (STOPS,) * 3
    assert numbers.base_offset == numbers.alternate_offset == (1 / 64,) * 3
    assert numbers.alternate_headroom == STOPS and not numbers.own_space
    assert iso_21496.read(iso_of_map(flags=0)[4:]).own_space


def test_one_denominator_for_all_is_read():
    content = struct.pack(">HHBIIIiiIii", 0, 0, 0x48, 100, 0, 260, -50, 260, 100, 1, 2)
    numbers = iso_21496.read(ISO + content)
    assert numbers.minimum == (-0.5,) * 3 and numbers.maximum == (2.6,) * 3
    assert numbers.base_offset == (0.01,) * 3 and numbers.alternate_offset == (0.02,) * 3


def test_what_libultrahdr_writes_is_read():
    hdr = np.ones((64, 64, 4), np.float16)
    hdr[:, :32] = 4
    kinds = imagecodecs.ULTRAHDR
    content = imagecodecs.ultrahdr_encode(
        hdr, level=95, transfer=kinds.CT.LINEAR, gamut=kinds.CG.DISPLAY_P3, codec=kinds.CODEC.JPEG
    )
    at = bytes(content).rindex(ISO)
    numbers = iso_21496.read(bytes(content)[at : at + 200])
    assert numbers.maximum[0] == pytest.approx(numbers.alternate_headroom)
    assert numbers.maximum[0] >= 2


@given(TRIPLES, POSITIVE, POSITIVE, st.booleans())
def test_what_is_written_is_read_again(low, above, gamma, own_space):
    high = tuple(a + b for a, b in zip(low, above, strict=True))
    numbers = GainMapParameters(low, high, gamma, own_space=own_space)
    again = iso_21496.read(iso_21496.write(numbers))
    for name in ("minimum", "maximum", "gamma", "base_offset", "alternate_headroom"):
        np.testing.assert_allclose(getattr(again, name), getattr(numbers, name), atol=1e-6)
    assert again.own_space == own_space


@pytest.mark.parametrize("length", [0, 2, 4, 5, 20, 60])
def test_a_short_description_is_damaged(length):
    with pytest.raises(GainMapError):
        iso_21496.read(iso_of_map()[4 : 4 + len(ISO) + length])


def test_a_division_by_zero_is_damage():
    with pytest.raises(GainMapError):
        iso_21496.read(ISO + bytes(4) + b"\x40" + bytes(56))
