import struct

import pytest

from enhance_cli.imaging.metadata.iptc import RESOURCE, records_in, resource_with

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
