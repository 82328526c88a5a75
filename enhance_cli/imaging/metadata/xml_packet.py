"""XML that is changed in place: parts are cut out or replaced, and all other bytes stay.

Expat reads the packet, so that names have their namespaces and entities their meaning. Documents
with a DTD, which could define entities without end, and documents of very many elements are
refused: metadata has neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from xml.parsers import expat

MAX_NODES = 100_000
"""Most elements and attributes of a packet. They take about 50 MB."""

_SEPARATOR = "\n"
"""Between namespace and name in what Expat reports; neither can contain it."""

_TAG_NAME = re.compile(rb"<[^\s/>]+")
_ATTRIBUTE = re.compile(rb"\s+([^\s=/>]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_TAG_END = re.compile(rb"\s*/?>")


class XmlError(Exception):
    """The packet is not well-formed, not in UTF-8, or holds what metadata does not need."""


class Name(NamedTuple):
    """A name and its namespace; the namespace is empty if the name has none."""

    namespace: str
    local: str


class Attribute(NamedTuple):
    """An attribute: its name, its value, and the positions of the whole and of the value."""

    name: Name
    value: str
    start: int
    end: int
    value_start: int
    value_end: int


@dataclass(slots=True)
class Element:
    """An element.

    Attributes:
        name: Its name.
        start: Position of its start tag.
        content: Position after the start tag.
        content_end: Position of the end tag; that of the start tag if it is empty (``<a/>``).
        end: Position after the end tag.
        prefixes: The namespaces that its start tag declares, by prefix, as spelled in the packet.
        attributes: Its attributes, in the order of the packet.
        children: The elements in it.
        parent: The element around it, or None.
        text: The characters in it, without those of its children.
    """

    name: Name
    start: int
    content: int
    content_end: int = 0
    end: int = 0
    prefixes: dict[bytes, bytes] = field(default_factory=dict)
    attributes: list[Attribute] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)
    parent: Element | None = None
    text: str = ""


class Aside(NamedTuple):
    """A comment, with an empty target, or a processing instruction."""

    target: str
    start: int
    end: int


class XmlPacket:
    """A parsed document, and the changes that are to be made to it.

    Args:
        content: The document, in UTF-8. What stands before the first ``<`` and after the last
            ``>``, such as zeros, is no part of it.

    Attributes:
        bytes: The document.
        root: The outermost element.
        asides: Comments and processing instructions.

    Raises:
        XmlError: It cannot be read.
    """

    def __init__(self, content: bytes) -> None:
        self.bytes = content[max(0, content.find(b"<")) : content.rfind(b">") + 1]
        self.asides: list[Aside] = []
        self._open: list[Element] = []
        self._texts: list[list[str]] = []  # of the open elements, joined when they end
        self._roots: list[Element] = []
        self._nodes = 0
        self._changes: list[tuple[int, int, bytes]] = []
        if b"<!DOCTYPE" in self.bytes:  # before Expat expands the first entity
            raise XmlError("a document type, which metadata does not have")
        self._parser = self._new_parser()
        try:
            self._parser.Parse(self.bytes, True)
        except expat.ExpatError as problem:
            raise XmlError(str(problem)) from problem
        finally:
            del self._parser  # which holds this object
        self.root = self._roots[0]

    def walk(self) -> Iterator[Element]:
        """All elements, each before those in it; those in an element that was cut are left out."""
        waiting = [self.root]
        while waiting:
            element = waiting.pop()
            yield element
            if not (self._changes and self._changes[-1][:2] == (element.start, element.end)):
                waiting += reversed(element.children)

    def cut(self, part: Element | Attribute | Aside) -> None:
        """Cut out an element with all that is in it, an attribute, or an aside."""
        self._changes.append((part.start, part.end, b""))

    def set_value(self, attribute: Attribute, value: bytes) -> None:
        """Give an attribute another value; it must hold no character that XML would escape."""
        self._changes.append((attribute.value_start, attribute.value_end, value))

    def set_text(self, element: Element, text: bytes) -> None:
        """Give an element other text; as in :meth:`set_value`. An empty tag (``<a/>``) stays."""
        if element.content_end >= element.content:
            self._changes.append((element.content, element.content_end, text))

    def insert(self, at: int, content: bytes) -> None:
        """Insert XML at this position."""
        self._changes.append((at, at, content))

    def changed(self) -> bytes:
        """The document with all changes; changes within a part that was cut are void."""
        kept, done = [], 0
        for start, end, new in sorted(self._changes, key=lambda change: (change[0], -change[1])):
            if start >= done:
                kept += [self.bytes[done:start], new]
                done = end
        return b"".join([*kept, self.bytes[done:]])

    def standing_alone(self, element: Element) -> bytes:
        """An element, taken out of the document, with the prefixes that are declared around it."""
        prefixes: dict[bytes, bytes] = {}
        around = element.parent
        while around is not None:
            prefixes = around.prefixes | prefixes
            around = around.parent
        declared = b""
        for prefix, namespace in prefixes.items():
            if prefix not in element.prefixes:
                quote = b"'" if b'"' in namespace else b'"'
                name = b"xmlns:" + prefix if prefix else b"xmlns"
                declared += b" " + name + b"=" + quote + namespace + quote
        content = self.bytes[element.start : element.end]
        tag = _TAG_NAME.match(content)
        assert tag is not None
        return content[: tag.end()] + declared + content[tag.end() :]

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8", _SEPARATOR)
        parser.ordered_attributes = True
        parser.buffer_text, parser.buffer_size = True, 2**20
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.CommentHandler = lambda _text: self._aside("", b"-->")
        parser.ProcessingInstructionHandler = lambda target, _data: self._aside(target, b"?>")
        return parser

    def _start(self, name: str, values: list[str]) -> None:
        start = self._parser.CurrentByteIndex
        tag = _TAG_NAME.match(self.bytes, start)
        assert tag is not None
        element = Element(_name(name), start, 0, parent=self._open[-1] if self._open else None)
        at, named = tag.end(), iter(zip(values[::2], values[1::2], strict=True))
        while found := _ATTRIBUTE.match(self.bytes, at):
            at = found.end()
            group = 2 if found.group(2) is not None else 3
            prefix, _, declared = found.group(1).partition(b":")
            if prefix == b"xmlns":
                element.prefixes[declared] = found.group(group)
                continue
            attribute, value = next(named)
            spans = (*found.span(), *found.span(group))
            element.attributes.append(Attribute(_name(attribute), value, *spans))
        end = _TAG_END.match(self.bytes, at)
        assert end is not None
        element.content = end.end()
        self._count(1 + len(element.attributes) + len(element.prefixes))
        (self._open[-1].children if self._open else self._roots).append(element)
        self._open.append(element)
        self._texts.append([])

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        element.text = "".join(self._texts.pop())
        if self.bytes[element.content - 2 : element.content] == b"/>":
            element.content_end, element.end = element.start, element.content
            return
        element.content_end = self._parser.CurrentByteIndex
        element.end = self.bytes.index(b">", element.content_end) + 1

    def _characters(self, text: str) -> None:
        self._texts[-1].append(text)

    def _aside(self, target: str, closing: bytes) -> None:
        start = self._parser.CurrentByteIndex
        end = self.bytes.index(closing, start) + len(closing)
        self._count(1)
        self.asides.append(Aside(target, start, end))

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise XmlError(f"more than {MAX_NODES:,} elements")


@lru_cache(1024)
def _name(reported: str) -> Name:
    namespace, _, local = reported.rpartition(_SEPARATOR)
    return Name(namespace, local)
