"""What of a document is not spoken, as data. Everything skipped by a rule is listed in the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SILENT_NAMES: Final = (
    "audio base button canvas embed head iframe input link math meta noscript object rp rt script select source style "
    "svg template textarea title track video"
)
SILENT_ELEMENTS: Final = frozenset(_SILENT_NAMES.split())
"""HTML elements without words for a listener. Not listed one by one."""

SKIPPED_ELEMENTS: Final[Mapping[str, str]] = {
    "aside": "aside",
    "code": "",
    "footer": "page footer",
    "img": "image",
    "nav": "navigation",
    "pre": "code",
    "table": "table",
}
"""HTML elements that are skipped and listed, by what they are called there. An empty name: spoken inside a sentence."""

SKIPPED_TYPES: Final[Mapping[str, str]] = {
    "annoref": "note reference",
    "bibliography": "bibliography",
    "biblioref": "note reference",
    "colophon": "colophon",
    "contents": "table of contents",
    "copyright-page": "copyright page",
    "cover": "cover",
    "doc-backlink": "note reference",
    "doc-biblioref": "note reference",
    "doc-bibliography": "bibliography",
    "doc-colophon": "colophon",
    "doc-cover": "cover",
    "doc-endnote": "note",
    "doc-endnotes": "notes",
    "doc-footnote": "note",
    "doc-index": "index",
    "doc-noteref": "note reference",
    "doc-pagebreak": "page number",
    "doc-pagelist": "page list",
    "doc-toc": "table of contents",
    "endnote": "note",
    "endnotes": "notes",
    "footnote": "note",
    "footnotes": "notes",
    "halftitlepage": "half title",
    "imprint": "imprint",
    "index": "index",
    "landmarks": "landmarks",
    "loi": "list of illustrations",
    "lot": "list of tables",
    "note": "note",
    "noteref": "note reference",
    "notes": "notes",
    "page-list": "page list",
    "pagebreak": "page number",
    "rearnote": "note",
    "rearnotes": "notes",
    "text-copyright": "copyright page",
    "title-page": "title page",
    "titlepage": "title page",
    "toc": "table of contents",
}
"""By `epub:type`, `role` or the type in an EPUB 2 guide."""

SKIPPED_CLASSES: Final[Mapping[str, str]] = {
    "footnote": "note",
    "footnote-back": "note reference",
    "footnote-ref": "note reference",
    "footnotes": "notes",
    "fnanchor": "note reference",
    "noteref": "note reference",
    "pagenum": "page number",
    "pageno": "page number",
    "pg-boilerplate": "licence of the edition",
    "toc": "table of contents",
}
"""By class, as Project Gutenberg, Pandoc and others write it."""

SCENE_BREAK_CLASSES: Final = frozenset({"asterism", "scene-break", "scenebreak", "section-break", "tb", "thoughtbreak"})
