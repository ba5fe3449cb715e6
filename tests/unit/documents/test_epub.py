"""Books in the shapes that programs write are read in order, whole, without their apparatus; bad ones are refused."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress

import pytest

from tests.unit.documents.books import Epub, nav, ncx, page
from worker.documents.document import BlockKind, Document
from worker.documents.errors import DocumentError
from worker.documents.readers import epub

ONE = ("c1.xhtml", page("<h2>One</h2><p>It began.</p>"))
TWO = ("c2.xhtml", page("<h2>Two</h2><p>It ended.</p>"))


def read(book: Epub) -> Document:
    return epub.read(io.BytesIO(book.build()))


def said(document: Document) -> list[str]:
    silent = BlockKind.SCENE_BREAK
    return [document.text[block.start : block.end] for block in document.blocks if block.kind is not silent]


def titles(document: Document) -> list[str]:
    return [chapter.title for chapter in document.chapters]


def skipped(document: Document) -> set[str]:
    return {entry.what for entry in document.skipped}


WHOLE = ["One", "It began.", "Two", "It ended."]

SHAPES = {
    "plain spine, no contents": Epub([ONE, TWO]),
    "EPUB 3 navigation": Epub([ONE, TWO], nav=nav(("c1.xhtml", "One"), ("c2.xhtml", "Two"))),
    "EPUB 2 NCX": Epub([ONE, TWO], ncx=ncx(("c1.xhtml", "One"), ("c2.xhtml", "Two"))),
    "at the archive's root": Epub([ONE, TWO], folder="", nav=nav(("c1.xhtml", "One"), ("c2.xhtml", "Two"))),
    "Project Gutenberg": Epub(
        [
            ("h-0.htm.xhtml", page(
                '<section class="pg-boilerplate" id="pg-header"><p>This eBook is for the use of anyone.</p></section>'
                '<div class="chapter" id="chap01"><h2>One</h2>'
                '<p><span class="pagenum" id="p1">[1]</span>It began.</p></div>'
                '<div class="chapter" id="chap02"><h2>Two</h2><p>It ended.</p></div>'
                '<section class="pg-boilerplate"><p>Full licence.</p></section>')),
        ],
        ncx=ncx(("h-0.htm.xhtml#chap01", "One"), ("h-0.htm.xhtml#chap02", "Two")),
    ),
    "Standard Ebooks": Epub(
        [
            ("text/titlepage.xhtml", page('<section epub:type="titlepage"><h1>The Ferry</h1></section>')),
            ("text/imprint.xhtml", page('<section epub:type="imprint"><p>By volunteers.</p></section>')),
            ("text/c1.xhtml", page('<section epub:type="chapter"><h2 epub:type="title">One</h2>'
                                   '<p>It began.<a href="endnotes.xhtml#note-1" epub:type="noteref">1</a></p>'
                                   '</section>')),
            ("text/c2.xhtml", page('<section epub:type="chapter"><h2>Two</h2><p>It ended.</p></section>')),
            ("text/endnotes.xhtml", page('<section epub:type="endnotes"><li>A note.</li></section>')),
            ("text/colophon.xhtml", page('<section epub:type="colophon"><p>Set in type.</p></section>')),
        ],
        nav=nav(("text/c1.xhtml", "One"), ("text/c2.xhtml", "Two")),
    ),
    "Calibre": Epub(
        [("index_split_000.html", page('<p class="c1"><a id="a1"></a><span class="bold">One</span></p>'
                                        '<p>It began.</p>')),
         ("index_split_001.html", page('<p id="a2">Two</p><p class="c3">It ended.</p>'
                                        '<div class="mbp_pagebreak"/>'))],
        ncx=ncx(("index_split_000.html#a1", "One"), ("index_split_001.html#a2", "Two")),
    ),
    "InDesign": Epub(
        [("Ferry.xhtml", page('<div id="_id1"><p class="Heading" id="toc_1"><span lang="en-GB">One</span></p>'
                              '<p class="Body"><span>It</span> <span>began.</span></p></div>')),
         ("Ferry-1.xhtml", page('<p class="Heading" id="toc_2">Two</p><p>It ended.</p>'
                                '<div class="_idFootnotes"><aside epub:type="footnote"><p>1 A note.</p></aside>'
                                '</div>'))],
        nav=nav(("Ferry.xhtml#toc_1", "One"), ("Ferry-1.xhtml#toc_2", "Two")),
    ),
    "Pandoc": Epub(
        [("text/title_page.xhtml", page("<h1>The Ferry</h1>", ' epub:type="frontmatter titlepage"')),
         ("text/ch001.xhtml", page('<section id="one"><h1>One</h1><p>It began.'
                                   '<a href="#fn1" class="footnote-ref"><sup>1</sup></a></p></section>'
                                   '<section id="footnotes" class="footnotes"><ol><li id="fn1">A note.</li></ol>'
                                   '</section>')),
         ("text/ch002.xhtml", page('<section id="two"><h1>Two</h1><p>It ended.</p></section>'))],
        nav=nav(("text/ch001.xhtml#one", "One"), ("text/ch002.xhtml#two", "Two")),
    ),
    "Word by way of a converter": Epub(
        [("part1.xhtml", page('<h1>One</h1><p>It began.<a href="#n1"><sup>1</sup></a></p><hr/><p>&#160;</p>'
                              '<h1>Two</h1><p>It<br/>ended.</p><table><tr><td>7</td></tr></table>'
                              '<img src="a.png" alt="A boat"/>'))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_books_are_read_in_order_without_their_apparatus(name: str) -> None:
    found = read(SHAPES[name])
    assert [" ".join(text.split()) for text in said(found)] == WHOLE
    assert titles(found) == ["One", "Two"]
    assert (found.title, found.author, found.language) == ("The Ferry", "A. Boatman", "en-GB")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Project Gutenberg", {"licence of the edition", "page number"}),
        ("Standard Ebooks", {"title page", "imprint", "note reference", "notes", "colophon"}),
        ("InDesign", {"note"}),
        ("Pandoc", {"title page", "note reference", "notes"}),
        ("Word by way of a converter", {"note reference", "table", "image"}),
    ],
)
def test_what_is_skipped_is_listed(name: str, expected: set[str]) -> None:
    assert skipped(read(SHAPES[name])) == expected


def test_nested_contents_become_chapters_too() -> None:
    nested = page(
        '<nav epub:type="toc"><ol><li><a href="c1.xhtml">Part I</a><ol><li><a href="c2.xhtml">Two</a>'
        '<ol><li><a href="c2.xhtml#x">Too deep</a></li></ol></li></ol></li></ol></nav>'
    )
    assert titles(read(Epub([ONE, TWO], nav=nested))) == ["Part I", "Two"]


def test_supplements_outside_the_reading_order_are_listed() -> None:
    found = read(Epub([ONE, TWO, ("answers.xhtml", page("<p>42</p>"))], non_linear=frozenset({"answers.xhtml"})))
    assert said(found) == WHOLE
    assert skipped(found) == {"supplement"}


def test_epub_2_guides_name_what_is_not_spoken() -> None:
    guide = '<guide><reference type="cover" href="cover.xhtml"/><reference type="toc" href="toc.xhtml"/></guide>'
    cover, toc = ("cover.xhtml", page("<p>Cover</p>")), ("toc.xhtml", page("<p>One, two</p>"))
    found = read(Epub([cover, toc, ONE, TWO], guide=guide))
    assert said(found) == WHOLE
    assert skipped(found) == {"cover", "table of contents"}


def test_addresses_with_escapes_and_folders_are_resolved() -> None:
    name = "text/chapter one.xhtml"
    book = Epub([(name, ONE[1])], nav=nav(("text/chapter%20one.xhtml", "One")))
    assert titles(read(book)) == ["One"]


def test_obfuscated_fonts_do_not_matter() -> None:
    fonts = '<encryption xmlns:e="x"><e:EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/></encryption>'
    assert said(read(Epub([ONE, TWO], others={"META-INF/encryption.xml": fonts}))) == WHOLE


ENTITY = '<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><package>&b;</package>'
DRM = (
    '<encryption xmlns:e="x"><e:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></encryption>'
)
REFUSED = {
    "DRM": (Epub([ONE], others={"META-INF/encryption.xml": DRM}), "encrypted"),
    "a spine that refers to nothing": (Epub([ONE], spine=["missing.xhtml"]), "'missing.xhtml'"),
    "an empty spine": (Epub([ONE], spine=[]), "spine is empty"),
    "a zip bomb": (Epub([("c1.xhtml", page("<p>" + "a" * 20_000_000 + "</p>"))]), "unpacks to too much"),
    "an external entity": (
        Epub(
            [ONE], others={"META-INF/container.xml": '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>'}
        ),
        "defines entities",
    ),
    "entities that multiply": (Epub([ONE], others={"META-INF/container.xml": ENTITY}), "defines entities"),
    "XML that isn't": (Epub([ONE], others={"META-INF/container.xml": "<container"}), "not well-formed"),
    "no package": (Epub([ONE], others={"META-INF/container.xml": "<container/>"}), "names no package"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", REFUSED)
def test_bad_books_are_refused_with_the_reason(name: str) -> None:
    book, reason = REFUSED[name]
    with pytest.raises(DocumentError, match=reason):
        read(book)


def test_a_file_that_the_spine_names_and_the_archive_lacks_is_named() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(Epub([ONE, TWO]).build())) as whole, zipfile.ZipFile(stream, "w") as less:
        for name in whole.namelist():
            if not name.endswith("c2.xhtml"):
                less.writestr(name, whole.read(name))
    with pytest.raises(DocumentError, match=r"lacks 'OEBPS/c2\.xhtml'"):
        epub.read(stream)


@pytest.mark.parametrize("at", range(0, 2_000, 97))
def test_damaged_archives_end_in_an_error_and_nothing_else(at: int) -> None:
    content = bytearray(SHAPES["Pandoc"].build())
    content[at % len(content)] ^= 0xFF
    with suppress(DocumentError):
        epub.read(io.BytesIO(bytes(content)))


def test_truncated_archives_are_refused() -> None:
    with pytest.raises(DocumentError, match="not a whole EPUB"):
        epub.read(io.BytesIO(SHAPES["Pandoc"].build()[:-40]))
