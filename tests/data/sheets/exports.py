"""More sheets as people have them: exports of content systems, subtitles, translations, LibreOffice's own format."""

from __future__ import annotations

import json
from typing import Final

from tests.data.sheets.documents import document, row, typed
from tests.data.sheets.made import Made
from tests.data.sheets.workbooks import MAIN, Tab, workbook

_HEAD: Final = row("ID", "Script", "Voice", "Due", "Done")
_NOTE: Final = '<table:table-cell office:value-type="string"><office:annotation><text:p>not this</text:p></office:annotation><text:p>Two<text:s text:c="2"/>spaces<text:line-break/>and lines.</text:p></table:table-cell>'  # noqa: E501
_OPENAI: Final = [
    {
        "custom_id": name,
        "method": "POST",
        "url": "/v1/audio/speech",
        "body": {"model": "gpt-4o-mini-tts", "input": text, "voice": voice, "response_format": "mp3"},
    }
    for name, text, voice in (("a", "One.", "alloy"), ("b", "Two.", "Kore"))
]
_WORDPRESS: Final = [
    {"id": 17, "title": {"rendered": "T"}, "content": {"rendered": "A longer text.", "protected": False}},
    {"id": 18, "title": {"rendered": "U"}, "content": {"rendered": "Another text.", "protected": False}},
]
_STRAPI: Final = {"data": [{"id": 1, "text": "One."}, {"id": 2, "text": "Two."}], "meta": {"pagination": {"page": 1}}}
_SRT: Final = """1\r
00:00:01,000 --> 00:00:03,500\r
<i>Hello there,</i>\r
world.\r
\r
2\r
00:00:04,000 --> 00:00:05,000\r
{\\an8}Good night.\r
"""
_VTT: Final = """WEBVTT - a talk

NOTE
not spoken

STYLE
::cue { color: white }

intro
00:01.000 --> 00:03.500 align:start
<v Ann>Fish &amp; chips.</v>

00:00:04.000 --> 00:00:05.000
<00:00:04.200><c.loud>Good</c> night.
"""
_PERCENT: Final = (
    f'<worksheet xmlns="{MAIN}"><cols><col min="3" max="3" hidden="1"/></cols><sheetData>'
    '<row r="1"><c r="A1" t="inlineStr"><is><t>ID</t></is></c><c r="B1" t="inlineStr"><is><t>Text</t></is></c>'
    '<c r="C1" t="inlineStr"><is><t>Old text</t></is></c></row>'
    '<row r="2"><c r="A2"><v>1</v></c><c r="B2" s="2"><v>0.125</v></c>'
    '<c r="C2" t="inlineStr"><is><t>hidden</t></is></c></row>'
    "</sheetData></worksheet>"
)

EXPORTS: Final = (
    Made(
        "libreoffice.ods",
        document(
            {
                "Liste": row("Ansagen 2026")
                + row(None)
                + _HEAD
                + row(typed("float", "1", "1,0"), "One.", "kore", typed("date", "2026-12-01", "01.12.2026"), None)
                + row("b", _NOTE, "PUCK", None, typed("boolean", "true", "WAHR"))
                + row(typed("float", "3", "3"), typed("percentage", "0.5", "50 %"), "Kore"),
                "Alt": row("x") + row("y"),
            },
            hidden=["Alt"],
        ),
        {"1": "One.", "b": "Two  spaces\nand lines.", "3": "50 %"},
        voices={"Kore", "Puck"},
        extra={"Due", "Done"},
    ),
    Made(
        "libreoffice-two-tables.ods",
        document({"Kapitel 1": _HEAD + row("a", "One.", "Kore"), "Kapitel 2": _HEAD + row("b", "Two.", "Kore")}),
        {"a": "One.", "b": "Two."},
        {"all_sheets": True},
        "--all-sheets",
        voices={"Kore"},
        extra={"sheet"},
    ),
    Made(
        "libreoffice-merged.ods",
        document(
            {
                "S": row("Chapter", "Voice", "ID", "Text")
                + row(typed("string", "", "1", number_rows_spanned="2"), "Leda", "a", "One.")
                + row("<table:covered-table-cell/>", "Leda", "b", "Two.")
            }
        ),
        {"a": "One.", "b": "Two."},
        voices={"Leda"},
        extra={"Chapter"},
    ),
    Made(
        "excel-percent-and-hidden-column.xlsx",
        workbook({"S": Tab(xml=_PERCENT)}),
        {"1": "12.5%"},
        extra={"Old text"},
    ),
    Made(
        "openai-batch.jsonl",
        "".join(json.dumps(line) + "\n" for line in _OPENAI).encode(),
        {"a": "One.", "b": "Two."},
        voices={None, "Kore"},
        extra={"method", "url", "body.model", "body.voice"},
    ),
    Made(
        "more-keys.jsonl",
        b'{"id": "a", "content": "One.", "author": "Ann"}\n{"id": "b", "content": "Two.", "score": 0.5}\n',
        {"a": "One.", "b": "Two."},
        extra={"author", "score"},
    ),
    Made("translations.json", b'{"intro": "Hello.", "outro": "Bye."}', {"intro": "Hello.", "outro": "Bye."}),
    Made("strapi.json", json.dumps(_STRAPI).encode(), {"1": "One.", "2": "Two."}),
    Made(
        "wordpress-api.json",
        json.dumps(_WORDPRESS).encode(),
        {"17": "A longer text.", "18": "Another text."},
        {"text_column": "content.rendered"},
        "--text-column content.rendered",
        extra={"title.rendered", "content.protected"},
    ),
    Made("one-object.json", b'{"text": "One.", "voice": "Kore"}', {"0001": "One."}, voices={"Kore"}),
    Made(
        "film.srt",
        _SRT.encode("utf-8-sig"),
        {"0002": "Hello there, world.", "0007": "Good night."},
        extra={"start", "end", "cue"},
    ),
    Made(
        "talk.vtt",
        _VTT.encode(),
        {"0010": "Fish & chips.", "0013": "Good night."},
        extra={"start", "end", "cue", "speaker"},
    ),
    Made(
        "README.md",
        b"Hello there.\n\nGood night.\n",
        {"0001": "Hello there.", "0003": "Good night."},
        {"input_format": "text"},
        "--input-format text",
    ),
    Made("script", b"One.\n", {"0001": "One."}, {"input_format": "text"}, "--input-format text"),
    Made("lines.log", b"One.\n", {"0001": "One."}, {"input_format": "text"}, "--input-format text"),
    Made(
        "utf-16-without-mark.csv",
        "id;text\na;Größe\n".encode("utf-16-le"),
        {"a": "Größe"},
        {"encoding": "utf-16-le"},
        "--encoding utf-16-le",
    ),
    Made(
        "contentful.csv",
        b"sys.id,fields.title.en-US,fields.text.en-US\nabc,T,One.\n",
        {"0002": "One."},
        {"text_column": "fields.text.en-US"},
        "--text-column fields.text.en-US",
        extra={"sys.id", "fields.title.en-US"},
    ),
    Made(
        "no-known-name.csv",
        b"Nr;Kapitel;Ansage\n1;A;Guten Morgen zusammen.\n2;B;Gute Nacht.\n",
        {"0002": "Guten Morgen zusammen.", "0003": "Gute Nacht."},
        {"text_column": "Ansage"},
        "--text-column Ansage",
        extra={"Nr", "Kapitel"},
    ),
    Made(
        "shopify.csv",
        b'Handle,Title,Body (HTML),Vendor,Tags,Published\nx,T,<p>Hi there</p>,V,"a, b",TRUE\n',
        {"0002": "<p>Hi there</p>"},
        extra={"Handle", "Title", "Vendor", "Published"},
    ),
    Made(
        "german-figures.csv",
        "Text;Temperature;Loudness;Anteil\nHallo.;0,4;-16,5;50 %\n".encode("utf-8-sig"),
        {"0002": "Hallo."},
        extra={"Anteil"},
    ),
    Made("pipes.csv", b"id|text|voice\na|One, two; three.|Kore\n", {"a": "One, two; three."}, voices={"Kore"}),
    Made(
        "music.csv",
        b"id,text,format,title,artist,album,track\na,One.,mp3,First,Ann,Book,1/2\nb,Two.,mp3,Second,Ann,Book,2/2\n",
        {"a": "One.", "b": "Two."},
        extra={"title", "artist", "album", "track"},
    ),
)
