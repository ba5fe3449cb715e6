"""Requests that are small to send and were, or might be, expensive to refuse."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MEGABYTE: Final = 1 << 20
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Request:
    """One request with a key."""

    name: str
    target: str
    body: bytes = b""
    media: str = "application/json"
    headers: bytes = b""
    chunk_bytes: int | None = None

    def encoded(self, key: str) -> bytes:
        """As it is sent."""
        method = b"POST" if self.body else b"GET"
        first = method + b" " + self.target.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        given = f"Authorization: Bearer {key}\r\nContent-Type: {self.media}\r\n".encode() + self.headers
        if self.chunk_bytes is None:
            return first + given + f"Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body
        return first + given + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        size = self.chunk_bytes or 1
        for start in range(0, len(self.body), size):
            piece = self.body[start : start + size]
            yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
        yield b"0\r\n\r\n"


def requests() -> Iterator[Request]:
    """All of them."""
    yield from _sheets()
    yield from _documents()
    yield from _heads()


def _sheets() -> Iterator[Request]:
    def sheet(name: str, body: bytes, media: str) -> Request:
        return Request(name, "/v1/batches", body, media)

    yield sheet("1 MB of text without words", b".\n" * (MEGABYTE // 2), "text/plain")
    yield sheet("1 MB of CSV with unknown voices", b"text,voice_1\n" + b"hi there,Nemo\n" * 65_000, "text/csv")
    yield sheet("1 MB of CSV with one custom_id", b"text,custom_id\n" + b"hello,a\n" * 120_000, "text/csv")
    yield sheet("1 MB of CSV of blank lines", b"text\n" + b"\n" * MEGABYTE, "text/csv")
    columns = b",".join(b"c%d" % number for number in range(100_000))
    yield sheet("CSV of 100,000 columns", b"text," + columns + b"\n" + b"a," * 100_000 + b"\n", "text/csv")
    yield sheet("1 MB of JSONL with unknown keys", b'{"texz":"a"}\n' * 80_000, "application/x-ndjson")
    yield sheet("1 MB of JSONL that is none", b"x\n" * (MEGABYTE // 2), "application/x-ndjson")
    lists = b'{"text":[' + b"[]," * 340_000 + b"[]]}\n"
    yield sheet("a line of 340,000 lists", lists, "application/x-ndjson")
    keys = ",".join(f'"k{number}":1' for number in range(90_000))
    yield sheet("a line of 90,000 keys", f"{{{keys}}}\n".encode(), "application/x-ndjson")
    faulty = f"<row>{_cell('.')}{_cell('Nemo')}</row>" * 60_000
    yield sheet("a workbook of 60,000 faulty rows", _workbook(faulty), XLSX)
    far = f'<row r="2000000000">{_cell("hello")}{_cell("Kore")}</row>'
    yield sheet("a workbook of two billion rows", _workbook(far), XLSX)


def _documents() -> Iterator[Request]:
    def document(name: str, body: bytes) -> Request:
        return Request(name, "/v1/batches", body)

    yield Request(
        "9,000 unknown keys", "/v1/jobs", json.dumps({f"texz{number}": 1 for number in range(9_000)}).encode()
    )
    yield document("10,000 jobs with unknown keys", json.dumps({"jobs": [{"texz": 1}] * 10_000}).encode())
    wrong = {"text": 1, "voice_1": "x", "model": "y"}
    yield document("10,000 faulty jobs", json.dumps({"jobs": [wrong] * 10_000}).encode())
    yield document("16 MB of lists", b'{"jobs":[' + b"[]," * 5_000_000 + b"[]]}")
    yield document("16 MB of texts", b'{"jobs":[' + b'"",' * 5_000_000 + b'""]}')
    yield document("16 MB of numbers", b'{"jobs":[' + b"1," * 8_000_000 + b"1]}")
    yield document("16 MB of truth", b'{"jobs":[' + b"true," * 3_200_000 + b"true]}")
    yield document("15 MB of escapes", b'{"name":"' + b"\\n" * 7_500_000 + b'"}')
    yield document("15 MB of brackets in a text", b'{"name":"' + b"[" * 15_000_000 + b'"}')
    yield document("a depth of 100,000", b"[" * 100_000)


def _heads() -> Iterator[Request]:
    yield Request("5,000 query parameters", "/v1/jobs?" + "a=1&" * 5_000)
    yield Request("6,000 header fields", "/healthz", headers=b"a:b\r\n" * 6_000)
    yield Request("a header field of 31 KB", "/healthz", headers=b"A: " + b"a" * 31_000 + b"\r\n")
    yield Request("250 KB in chunks of one byte", "/v1/jobs", b"a" * 250_000, chunk_bytes=1)


def _cell(text: str) -> str:
    return f'<c t="inlineStr"><is><t>{text}</t></is></c>'


def _workbook(rows: str) -> bytes:
    """The smallest workbook with a header of text and voice_1, and these rows."""
    header = f'<row r="1">{_cell("text")}{_cell("voice_1")}</row>'
    kind = f"{_LINKS}/worksheet"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{XLSX}.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{_LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}">'
        '<sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{kind}" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{header}{rows}</sheetData></worksheet>',
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()
