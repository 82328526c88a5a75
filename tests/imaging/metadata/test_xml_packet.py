import contextlib
import gc
import time
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enhance_cli.imaging.metadata.xml_packet import MAX_NODES, Name, XmlError, XmlPacket

DOCUMENT = (
    b"\0\0<?xml version='1.0'?><!-- first --><a xmlns='urn:a' xmlns:p=\"urn:p\" "
    b"p:q = 'x>y' z=\"1\">"
    b"text<p:b/><p:b  r='2' >&lt;<c>in</c ></p:b\n><?do it?></a>\0junk"
)


def test_names_have_their_namespaces_and_values_their_meaning():
    xml = XmlPacket(DOCUMENT)
    assert [element.name for element in xml.walk()] == [
        Name("urn:a", "a"),
        Name("urn:p", "b"),
        Name("urn:p", "b"),
        Name("urn:a", "c"),
    ]
    assert [(one.name, one.value) for one in xml.root.attributes] == [
        (Name("urn:p", "q"), "x>y"),
        (Name("", "z"), "1"),
    ]
    assert xml.root.prefixes == {b"": b"urn:a", b"p": b"urn:p"}
    assert xml.root.children[1].text == "<" and xml.root.children[1].children[0].text == "in"
    assert [aside.target for aside in xml.asides] == ["", "do"]


def test_positions_are_those_of_the_parts():
    xml = XmlPacket(DOCUMENT)
    empty, full = xml.root.children
    assert xml.bytes[empty.start : empty.end] == b"<p:b/>"
    assert xml.bytes[full.start : full.end] == b"<p:b  r='2' >&lt;<c>in</c ></p:b\n>"
    assert xml.bytes[full.content : full.content_end] == b"&lt;<c>in</c >"
    quoted, plain = xml.root.attributes
    assert xml.bytes[quoted.start : quoted.end] == b" p:q = 'x>y'"
    assert xml.bytes[plain.value_start : plain.value_end] == b"1"


def test_what_is_not_changed_stays_byte_by_byte():
    xml = XmlPacket(DOCUMENT)
    assert xml.changed() == DOCUMENT.strip(b"\0").removesuffix(b"\0junk")
    first, second = xml.root.children
    xml.cut(second)
    xml.set_text(second.children[0], b"void")
    xml.cut(first)
    xml.set_value(xml.root.attributes[0], b"new")
    xml.cut(xml.root.attributes[1])
    for aside in xml.asides:
        xml.cut(aside)
    changed = xml.changed()
    assert changed == (
        b"<?xml version='1.0'?><a xmlns='urn:a' xmlns:p=\"urn:p\" p:q = 'new'>text</a>"
    )
    assert fromstring(changed).text == "text"


ENTITIES = b"".join(b"<!ENTITY e%d '%s'>" % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 12))


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"no document",
        b"<a>",
        b"<a></b>",
        b"<p:a/>",
        b"<a b='1' b='2'/>",
        b"<a>\xff</a>",
        b"<a/><b/>",
        b"<!DOCTYPE a [<!ENTITY e0 'ha'>" + ENTITIES + b"]><a>&e11;</a>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        b"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>",
        b"<a>" + b"<b/>" * MAX_NODES + b"</a>",
        b"<a" + b"".join(b" b%d=''" % number for number in range(MAX_NODES)) + b"/>",
    ],
)
def test_what_is_damaged_or_costly_is_refused(hostile):
    started = time.process_time()
    with pytest.raises(XmlError):
        XmlPacket(hostile)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    "part", [b"<a>", b" ", b"&amp;", b"<![CDATA[x]]>", b"]]>", b"<!-- -->", b"'"]
)
def test_four_megabytes_of_anything_take_seconds_at_most(part):
    started = time.process_time()
    with contextlib.suppress(XmlError):
        XmlPacket(b"<r>" + part * (2**22 // len(part)) + b"</r>")
    assert time.process_time() - started < 20


@pytest.mark.parametrize("part", [b"<b/>", b"<!---->", b"<?p?>", b"<b c=''/>", b"<b></b>", b"&lt;"])
def test_pieces_of_a_text_are_joined_once(part):
    """The characters that are copied grow like the packet, not like its square."""

    def seconds(times):
        gc.disable()  # it would look at all objects of the tests before, the longer, the more
        started = time.process_time()
        XmlPacket(b"<r>" + (b"x" * 30 + part) * times + b"</r>")
        gc.enable()
        return time.process_time() - started

    few, many = (min(seconds(times) for _ in range(2)) for times in (3_000, 48_000))
    assert many < 16 * few * 4


@pytest.mark.parametrize("text", ["b='1'", 'x="5" y="6"', "/b='1'"])
def test_a_text_like_an_attribute_is_none(text):
    xml = XmlPacket(f"<a ><c>{text}</c ><d e='f' >{text}</d></a>".encode())
    assert [element.text for element in xml.walk()] == ["", text, text]
    assert [len(element.attributes) for element in xml.walk()] == [0, 0, 1]


@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 60))
def test_any_damage_is_an_xml_error_at_most(more, at, cut):
    damaged = DOCUMENT[:at] + more + DOCUMENT[at + cut :]
    with contextlib.suppress(XmlError):
        assert XmlPacket(damaged).changed() in damaged
