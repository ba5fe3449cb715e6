"""Reads XML of strangers into elements that know their place. Document types, entities and depth are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from worker.text.errors import TextError

MAX_DEPTH: Final = 64
MAX_ELEMENTS: Final = 500_000
XML: Final = "http://www.w3.org/XML/1998/namespace"
_MISMATCHED, _NO_ELEMENT, _UNDEFINED_ENTITY, _UNCLOSED = 7, 3, 11, 5
"""Codes of expat."""


class MarkupError(TextError):
    """Markup that can't be read, with its line and column, both from 1."""

    def __init__(self, message: str, remedy: str, line: int, column: int) -> None:
        super().__init__(message, remedy)
        self.line = line
        self.column = column

    def described(self) -> str:
        return f"line {self.line}, column {self.column}: {TextError.described(self)}"


@dataclass(slots=True)
class Element:
    namespace: str
    name: str
    attributes: dict[str, str]
    """By local name; of another namespace as `{namespace}name`."""
    line: int
    column: int
    content: list[Element | str] = field(default_factory=list)

    def elements(self, name: str) -> Iterator[Element]:
        return (child for child in self.content if isinstance(child, Element) and child.name == name)

    def text(self) -> str:
        """All text inside, without markup."""
        return "".join(child if isinstance(child, str) else child.text() for child in self.content)

    def error(self, message: str, remedy: str) -> MarkupError:
        return MarkupError(message, remedy, self.line, self.column)


class _Target:
    def __init__(self) -> None:
        self.parser: Any = None
        """That of expat; set before it is fed."""
        self.root: Element | None = None
        self.open: list[Element] = []
        self.count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition("}")
        line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1
        element = Element(namespace[1:], name, dict(attributes), line, column)
        self.count += 1
        if len(self.open) >= MAX_DEPTH:
            raise element.error(f"more than {MAX_DEPTH} elements are nested", "flatten them")
        if self.count > MAX_ELEMENTS:
            raise element.error(f"there are more than {MAX_ELEMENTS:,} elements", "divide the file")
        if self.open:
            self.open[-1].content.append(element)
        else:
            self.root = element
        self.open.append(element)

    def end(self, _tag: str) -> None:
        self.open.pop()

    def data(self, text: str) -> None:
        if self.open:
            self.open[-1].content.append(text)


def parse(content: str | bytes) -> Element:
    """Return the root element. Raises MarkupError."""
    target = _Target()
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    target.parser = parser.parser
    try:
        parser.feed(content)
        parser.close()
    except DefusedXmlException:
        line, column = parser.parser.CurrentLineNumber, parser.parser.CurrentColumnNumber + 1
        message = "declares a document type or entities, which are not read"
        raise MarkupError(message, "remove the <!DOCTYPE …> declaration", line, column) from None
    except ParseError as error:
        raise _broken(error, target) from None
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise MarkupError(f"is not readable XML ({error})", "save it as UTF-8", 1, 1) from None
    if target.root is None:
        raise MarkupError("holds no element", "write it as XML", 1, 1)
    return target.root


def _broken(error: ParseError, target: _Target) -> MarkupError:
    line, column = error.position[0], error.position[1] + 1
    reason = str(error).partition(":")[0]
    if error.code in (_NO_ELEMENT, _UNCLOSED) and target.open:
        last = target.open[-1]
        message = f"<{last.name}> of line {last.line}, column {last.column} is not closed"
        return MarkupError(message, f"add </{last.name}>", line, column)
    if error.code == _MISMATCHED and target.open:
        last = target.open[-1]
        message = f"a tag is closed here, but <{last.name}> of line {last.line}, column {last.column} is still open"
        return MarkupError(message, f"add </{last.name}> before it", line, column)
    if error.code == _UNDEFINED_ENTITY:
        remedy = "write the character itself, or & as &amp;"
        return MarkupError("an entity is not defined in XML", remedy, line, column)
    return MarkupError(f"is not well-formed XML ({reason})", "correct it; write & as &amp; and < as &lt;", line, column)
