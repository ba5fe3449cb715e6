"""Each file format: what is spoken, what is listed as skipped, and what is refused."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn
from docx.oxml.parser import OxmlElement
from pypdf import PdfReader, PdfWriter

from tests.thorough import thorough
from tests.unit.documents.books import Epub, page, pdf
from tests.unit.documents.test_epub import said, skipped, titles
from worker.documents.document import BlockKind, Document, Slot
from worker.documents.errors import DocumentError
from worker.documents.readers import html, markdown, subtitles
from worker.documents.readers.files import read_file


def kinds(document: Document) -> list[BlockKind]:
    return [block.kind for block in document.blocks]


class TestMarkdown:
    SOURCE = """---
title: "The Ferry"
author: A. Boatman
lang: en-GB
---
# The Ferry

Some *prose* with a [link](https://example.org), `code` and a note[^1].
Still the same paragraph.

## One

- first
- second

***

| a | b |
|---|---|
| 1 | 2 |

![A boat](boat.png)

```python
print("not spoken")
```

## Two

<div>markup</div>

The end.<!-- hidden -->

[^1]: The note.
"""

    def test_structure(self) -> None:
        found = markdown.read(self.SOURCE)
        assert said(found) == [
            "The Ferry",
            "Some prose with a link, code and a note. Still the same paragraph.",
            "One", "first", "second", "Two", "The end.",
        ]  # fmt: skip
        assert titles(found) == ["One", "Two"]
        assert (found.title, found.author, found.language) == ("The Ferry", "A. Boatman", "en-GB")
        assert BlockKind.LIST_ITEM in kinds(found)
        assert BlockKind.SCENE_BREAK in kinds(found)

    def test_what_is_skipped_is_listed_with_its_line(self) -> None:
        found = markdown.read(self.SOURCE)
        assert skipped(found) == {"table", "image", "code", "HTML", "comment", "note", "note reference"}
        assert all(entry.where.startswith("line ") for entry in found.skipped)


class TestHtml:
    def test_structure(self) -> None:
        found = html.read(
            '<html lang="de"><head><title>Fähre</title><meta name="author" content="A. B."><script>x()</script></head>'
            "<body><nav>Menu</nav><article><h1>Fähre</h1><h2>Eins</h2><p>Es <b>begann</b>.\n Dann</p>"
            "<div>ohne Absatz<p>mit</p>wieder ohne</div><h2>Zwei</h2><ul><li>a</li><li>b</li></ul><hr>"
            '<p hidden>no</p><pre>code</pre><figure><img alt="Boot"><figcaption>Ein Boot</figcaption></figure>'
            "<ruby>漢<rt>kan</rt></ruby></article><footer>©</footer></body></html>",
            "page.html",
        )
        assert said(found) == [
            "Fähre", "Eins", "Es begann. Dann", "ohne Absatz", "mit", "wieder ohne", "Zwei", "a", "b", "Ein Boot", "漢",
        ]  # fmt: skip
        assert titles(found) == ["Eins", "Zwei"]
        assert (found.title, found.author, found.language) == ("Fähre", "A. B.", "de")
        assert skipped(found) == {"navigation", "hidden text", "code", "image", "page footer"}

    def test_deep_nesting_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "deep.html"
        depth = thorough(50_000, 5_000)
        file.write_text("<div>" * depth + "x" + "</div>" * depth, encoding="utf-8")
        with suppress(DocumentError):
            assert said(read_file(file)) == ["x"]


def word_document() -> bytes:
    document = docx.Document()
    document.core_properties.title, document.core_properties.author = "The Ferry", "A. Boatman"
    document.add_heading("The Ferry", 0)
    document.add_heading("One", 1)
    paragraph = document.add_paragraph("It ")
    paragraph.add_run("began.").bold = True
    for tag, inner, words in (("w:ins", "w:t", " And went on."), ("w:del", "w:delText", " Deleted.")):
        change, run, text = OxmlElement(tag), OxmlElement("w:r"), OxmlElement(inner)
        text.text = words
        text.set(qn("xml:space"), "preserve")
        run.append(text)
        change.append(run)
        paragraph._p.append(change)
    document.add_paragraph("first", style="List Bullet")
    document.add_table(1, 2).rows[0].cells[0].text = "7"
    document.add_heading("Two", 1)
    document.add_paragraph("It ended.")
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


class TestWord:
    def test_structure(self, tmp_path: Path) -> None:
        file = tmp_path / "ferry.docx"
        file.write_bytes(word_document())
        found = read_file(file)
        assert said(found) == ["The Ferry", "One", "It began. And went on.", "first", "Two", "It ended."]
        assert titles(found) == ["One", "Two"]
        assert (found.title, found.author) == ("The Ferry", "A. Boatman")
        assert skipped(found) == {"deleted text", "table"}

    def test_damaged_documents_are_refused(self, tmp_path: Path) -> None:
        content = word_document()
        file = tmp_path / "ferry.docx"
        for at in range(100, len(content), len(content) // 40):
            file.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
            with suppress(DocumentError):
                read_file(file)


class TestPdf:
    def test_running_heads_page_numbers_and_hyphens(self, tmp_path: Path) -> None:
        file = tmp_path / "ferry.pdf"
        long = "The ferry leaves at ten past four and arrives before it is dark"
        pages = [
            ["THE FERRY", long, f"on page {word}, says the time-", "table.", str(n)]
            for n, word in enumerate(("a", "b", "c"), 7)
        ]
        file.write_bytes(pdf(*pages))
        found = read_file(file)
        assert "timetable." in found.text
        assert "THE FERRY" not in found.text
        assert skipped(found) == {"running head or page number"}
        assert "columns" in found.warnings[0]

    def test_pages_without_text_are_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "scan.pdf"
        file.write_bytes(pdf([], []))
        with pytest.raises(DocumentError, match="no text") as caught:
            read_file(file)
        assert "OCR" in caught.value.remedy

    def test_a_password_is_named(self, tmp_path: Path) -> None:
        writer = PdfWriter(PdfReader(io.BytesIO(pdf(["Secret."]))))
        writer.encrypt("open sesame", algorithm="RC4-128")
        file = tmp_path / "locked.pdf"
        with file.open("wb") as stream:
            writer.write(stream)
        with pytest.raises(DocumentError, match="password"):
            read_file(file)

    def test_damaged_files_are_refused(self, tmp_path: Path) -> None:
        content, file = pdf(["One line."], ["Another."]), tmp_path / "ferry.pdf"
        for at in range(9, len(content), 23):
            file.write_bytes(content[:at])
            with suppress(DocumentError):
                read_file(file)


class TestSubtitles:
    SRT = (
        "1\n00:00:01,000 --> 00:00:02,500\n<i>The ferry leaves</i>\nat ten\n\n"
        "2\n00:00:02,600 --> 00:00:04,000\npast four.\n\n3\n00:00:05,000 --> 00:00:06,000\n[horn] - Hurry!\n"
    )

    def test_sentences_over_several_cues_are_one(self) -> None:
        found = subtitles.read(self.SRT)
        assert said(found) == ["The ferry leaves at ten past four.", "- Hurry!"]
        assert [block.slot for block in found.blocks] == [Slot(1.0, 4.0), Slot(5.0, 6.0)]
        assert skipped(found) == {"sound"}

    def test_webvtt(self) -> None:
        found = subtitles.read("WEBVTT\n\nNOTE x\n\nintro\n00:01.000 --> 00:02.000 align:left\n<v Anna>Hello.</v>\n")
        assert said(found) == ["Hello."]
        assert found.blocks[0].slot == Slot(1.0, 2.0)

    @pytest.mark.parametrize(
        ("source", "reason"),
        [("just text", "no subtitles"), ("1\n00:00:02,000 --> 00:00:01,000\nx\n", "line 2: the subtitle ends before")],
    )
    def test_bad_files_are_refused(self, source: str, reason: str) -> None:
        with pytest.raises(DocumentError, match=reason):
            subtitles.read(source)


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("a.txt", b"caf\xe9", "line 1: byte 3 is not UTF-8"),
            ("a.txt", b"a\0b", "NUL"),
            ("a.odt", b"PK\x03\x04", r"\.odt can't be read"),
            ("a.xyz", b"text", r"\.xyz files can't be read"),
            ("a.doc", b"\xd0\xcf\x11\xe0", "old Office"),
            ("a.epub", b"PK\x03\x04 broken", "not a whole EPUB"),
            ("a.docx", Epub([("c.xhtml", page("x"))]).build(), "not a Word document"),
            ("a.pdf", b"%PDF-1.7 nothing %%EOF", "can't be read"),
            ("large.pdf", b"%PDF-1.7\n" + bytes(3 * 2**20), "breaks off"),
            ("noise.docx", b"no archive", "not a whole Word document"),
            ("noise.epub", b"no archive", "not a whole EPUB"),
            ("noise.pdf", b"no PDF", "not a whole PDF"),
            ("a.txt", b"", "no text"),
        ],
    )
    def test_refusals_name_the_reason(self, tmp_path: Path, name: str, content: bytes, reason: str) -> None:
        file = tmp_path / name
        file.write_bytes(content)
        with pytest.raises(DocumentError, match=reason):
            read_file(file)

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    def test_byte_order_marks_decide(self, tmp_path: Path, encoding: str) -> None:
        file = tmp_path / "a.txt"
        file.write_bytes("Fähre".encode(encoding))
        assert said(read_file(file)) == ["Fähre"]

    def test_an_encoding_may_be_named(self, tmp_path: Path) -> None:
        file = tmp_path / "a.txt"
        file.write_bytes("Fähre".encode("cp1252"))
        assert said(read_file(file, "cp1252")) == ["Fähre"]
        with pytest.raises(DocumentError, match="no encoding 'klingon'"):
            read_file(file, "klingon")

    def test_formats_are_known_by_content_where_they_can_be(self, tmp_path: Path) -> None:
        file = tmp_path / "ferry.txt"
        file.write_bytes(pdf(["The ferry leaves."]))
        assert said(read_file(file)) == ["The ferry leaves."]

    def test_files_over_the_limit_are_refused_unread(self, tmp_path: Path) -> None:
        file = tmp_path / "large.txt"
        with file.open("wb") as stream:
            stream.truncate(40 * 2**20)
        with pytest.raises(DocumentError, match="limit is 32 MB"):
            read_file(file)
