import struct

import pytest

from enhance_cli.imaging.metadata.iptc import (
    RESOURCE,
    records_in,
    resource_with,
    without_places,
)

RECORDS = b"\x1c\x02\x05\x00\x05River"


def resource(number: int, content: bytes, name: bytes = b"") -> bytes:
    """An image resource as Photoshop writes it: all parts padded to even lengths."""
    named, padding = bytes([len(name)]) + name, bytes(len(content) % 2)
    header = b"8BIM" + struct.pack(">H", number) + named + bytes(len(named) % 2)
    return header + struct.pack(">I", len(content)) + content + padding


@pytest.mark.parametrize("records", [RECORDS, RECORDS + b"!"], ids=["even", "odd"])
def test_records_come_back_as_they_were(records):
    wrapped = resource_with(records)
    assert wrapped == resource(RESOURCE, records) and len(wrapped) % 2 == 0
    assert records_in(wrapped) == records


@pytest.mark.parametrize("name", [b"", b"a", b"ab"])
def test_records_are_found_among_other_resources(name):
    others = resource(0x03ED, bytes(16)) + resource(0x0409, bytes(5), name)
    assert records_in(others + resource(RESOURCE, RECORDS, name) + others) == RECORDS
    assert records_in(others) is None


@pytest.mark.parametrize("block", [None, 7, "8BIM", b"", b"8BIM", b"no resource at all"])
def test_anything_else_holds_no_records(block):
    assert records_in(block) is None


def test_a_block_cut_anywhere_is_no_error():
    block = resource(0x03ED, bytes(16), b"name") + resource(RESOURCE, RECORDS)
    for end in range(len(block)):
        assert RECORDS.startswith(records_in(block[:end]) or b"")


def data_set(number: int, content: bytes, record: int = 2) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(content)) + content


CHARACTERS = data_set(90, b"\x1b%G", record=1)
LONG = struct.pack(">BBBHI", 0x1C, 2, 120, 0x8004, 42_000) + b"a river " * 5250


@pytest.mark.parametrize(
    "harmful",
    [
        *(data_set(number, b"Witikon") for number in (26, 27, 90, 92, 95, 100, 101)),
        data_set(120, b"taken at 47.3769, 8.5417"),
        data_set(25, b"geo:lat=47.37"),
        data_set(202, b"preview with EXIF"),
        data_set(10, b"a picture", record=8),
    ],
)
def test_places_and_coordinates_go_and_all_else_stays(harmful):
    kept = CHARACTERS + RECORDS + LONG
    assert without_places(CHARACTERS + harmful + RECORDS + harmful + LONG) == kept
    assert without_places(harmful) is None


@pytest.mark.parametrize("damaged", [RECORDS[:-1], RECORDS[:4], b"Witikon", RECORDS + b"Witikon"])
def test_damaged_records_go_as_a_whole(damaged):
    assert without_places(damaged) is None


def test_padding_is_no_data_set():
    assert without_places(RECORDS + bytes(1)) == RECORDS


def test_texts_that_go_are_named_and_places_are_not():
    lost: list[str] = []
    without_places(RECORDS + data_set(90, b"Witikon"), lost)
    assert lost == []
    without_places(RECORDS + data_set(120, b"taken at 47.3769, 8.5417"), lost)
    assert lost == ["texts that may tell the location were left out"]
