"""EPUB 2 and 3: the files of the spine in order, with the titles of the table of contents."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Final
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from selectolax.lexbor import LexborHTMLParser

from worker.documents.document import Document, DocumentBuilder
from worker.documents.errors import DocumentError
from worker.documents.readers.archive import Archive
from worker.documents.readers.html import HtmlReader, chapter_levels
from worker.documents.readers.skip_rules import SKIPPED_TYPES

_CONTAINER: Final = "META-INF/container.xml"
_ENCRYPTION: Final = "META-INF/encryption.xml"
_FONT_METHODS: Final = frozenset({"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"})
"""Obfuscated fonts; the text beside them is readable."""
_HTML_TYPES: Final = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})
_MAX_DEPTH: Final = 2
"""Levels of the table of contents that become chapters."""
_VOID: Final = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_SELF_CLOSED: Final = re.compile(rf"<(?!(?:{_VOID})\b)([A-Za-z][\w:.-]*)((?:\s[^<>]*?)?)/>")
"""XHTML may close any element at once; an HTML parser would leave it open."""


@dataclass(frozen=True, slots=True)
class _Item:
    path: str
    media_type: str
    properties: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Package:
    title: str
    author: str
    language: str
    items: Mapping[str, _Item]
    spine: tuple[tuple[str, bool], ...]
    """Ids of items in reading order, and whether they are part of it."""
    toc: str
    """Id of the NCX file."""
    guide: Mapping[str, str]
    """Types of EPUB 2 by path."""


@dataclass(slots=True)
class _Contents:
    """Titles of the table of contents: for whole files, and for places in them."""

    files: dict[str, str] = field(default_factory=dict)
    places: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, target: str, title: str) -> None:
        path, _, fragment = target.partition("#")
        if fragment:
            self.places.setdefault(path, {}).setdefault(fragment, title)
        else:
            self.files.setdefault(path, title)


def read(stream: IO[bytes]) -> Document:
    """Read a book. Raises DocumentError: It is damaged, protected, or larger than the limits."""
    with Archive(stream, "EPUB") as archive:
        _refuse_protected(archive)
        package = _package(archive)
        contents = _contents(archive, package)
        builder = DocumentBuilder(package.title, package.author, package.language)
        pages = dict(_pages(archive, package, builder))
    found = bool(contents.files or contents.places)
    levels = frozenset() if found else chapter_levels(list(pages.values()))
    for path, source in pages.items():
        if path in contents.files:
            builder.chapter(contents.files[path])
        HtmlReader(builder, path, contents.places.get(path, {}), levels).read(source)
    return builder.build()


def _refuse_protected(archive: Archive) -> None:
    if _ENCRYPTION not in archive.names:
        return
    for method in _xml(archive, _ENCRYPTION).iter():
        if _tag(method) == "EncryptionMethod" and method.get("Algorithm") not in _FONT_METHODS:
            raise DocumentError("the EPUB is encrypted (DRM), so its text can't be read", "use an edition without DRM")


def _xml(archive: Archive, name: str) -> Element:
    try:
        root: Element = fromstring(archive.read(name), forbid_dtd=False)
    except DefusedXmlException:
        raise DocumentError(f"{name!r} in the EPUB defines entities, which is not allowed") from None
    except (ParseError, LookupError, ValueError) as error:
        raise DocumentError(f"{name!r} in the EPUB is not well-formed XML: {error}") from None
    return root


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _package(archive: Archive) -> _Package:
    root = next((e.get("full-path") for e in _xml(archive, _CONTAINER).iter() if _tag(e) == "rootfile"), None)
    if not root:
        raise DocumentError(f"{_CONTAINER!r} in the EPUB names no package file")
    package, folder = _xml(archive, root), posixpath.dirname(root)
    elements = list(package.iter())
    spine = next((element for element in elements if _tag(element) == "spine"), None)
    if spine is None:
        raise DocumentError(f"{root!r} in the EPUB has no spine, so the order of its text is unknown")
    return _Package(
        _text(elements, "title"),
        ", ".join(e.text.strip() for e in elements if _tag(e) == "creator" and e.text),
        _text(elements, "language"),
        {element.get("id", ""): _item(element, folder) for element in elements if _tag(element) == "item"},
        tuple((e.get("idref", ""), e.get("linear") != "no") for e in spine if _tag(e) == "itemref"),
        spine.get("toc", ""),
        {_path(folder, e.get("href", "")): e.get("type", "") for e in elements if _tag(e) == "reference"},
    )


def _text(elements: list[Element], tag: str) -> str:
    return next((element.text.strip() for element in elements if _tag(element) == tag and element.text), "")


def _item(element: Element, folder: str) -> _Item:
    properties = frozenset(element.get("properties", "").split())
    return _Item(_path(folder, element.get("href", "")), element.get("media-type", ""), properties)


def _path(folder: str, href: str) -> str:
    """Return the archive's name of what a relative address refers to, with its fragment."""
    path, mark, fragment = href.partition("#")
    joined = posixpath.normpath(posixpath.join(folder, unquote(path))) if path else folder
    return joined + mark + unquote(fragment)


def _pages(archive: Archive, package: _Package, builder: DocumentBuilder) -> Iterator[tuple[str, str]]:
    if not package.spine:
        raise DocumentError("the EPUB's spine is empty")
    for idref, is_linear in package.spine:
        item = package.items.get(idref)
        if item is None:
            raise DocumentError(f"the EPUB's spine refers to {idref!r}, which its manifest does not list")
        kind = SKIPPED_TYPES.get(package.guide.get(item.path, "").lower())
        if item.media_type not in _HTML_TYPES:
            builder.skip("image" if item.media_type.startswith("image/") else "file of another kind", item.path)
        elif not is_linear or kind or "nav" in item.properties:
            archive.read(item.path)
            builder.skip(kind or ("navigation" if is_linear else "supplement"), item.path)
        else:
            yield item.path, _page(archive.read(item.path))


def _page(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else _declared(content)
    try:
        source = content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        source = content.decode("utf-8", "replace")
    return _SELF_CLOSED.sub(r"<\1\2></\1>", source.removeprefix("\ufeff"))


def _declared(content: bytes) -> str:
    declared = re.match(rb"\s*(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=[\"']([\w.-]+)", content)
    return declared[1].decode("ascii") if declared else "utf-8"


def _contents(archive: Archive, package: _Package) -> _Contents:
    contents = _Contents()
    nav = next((item for item in package.items.values() if "nav" in item.properties), None)
    if nav is not None and nav.path in archive.names:
        _from_nav(_page(archive.read(nav.path)), posixpath.dirname(nav.path), contents)
    ncx = package.items.get(package.toc)
    if not (contents.files or contents.places) and ncx is not None and ncx.path in archive.names:
        for element in _xml(archive, ncx.path).iter():
            if _tag(element) == "navMap":
                _from_ncx(element, posixpath.dirname(ncx.path), contents, depth=1)
    return contents


def _from_nav(source: str, folder: str, contents: _Contents) -> None:
    for nav in LexborHTMLParser(source).css("nav"):
        if "toc" not in (nav.attributes.get("epub:type") or "") and nav.attributes.get("role") != "doc-toc":
            continue
        too_deep = {link.mem_id for link in nav.css("ol ol ol a")}
        for link in nav.css("a"):
            if link.mem_id not in too_deep and (href := link.attributes.get("href")):
                contents.add(_path(folder, href), link.text(separator=" ", strip=True))


def _from_ncx(parent: Element, folder: str, contents: _Contents, *, depth: int) -> None:
    for point in parent:
        if _tag(point) != "navPoint":
            continue
        label = " ".join("".join(e.itertext()) for e in point if _tag(e) == "navLabel").strip()
        target = next((e.get("src", "") for e in point if _tag(e) == "content"), "")
        if label and target:
            contents.add(_path(folder, target), label)
        if depth < _MAX_DEPTH:
            _from_ncx(point, folder, contents, depth=depth + 1)
