"""Twenty-odd sheets, each with the options that the error message names, and what has to come out of it."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass, field
from typing import Any, Final

from tests.data.sheets.workbooks import Date, Formula, Tab, workbook


@dataclass(frozen=True, slots=True)
class Made:
    """One file."""

    name: str
    content: bytes
    texts: dict[str, str]
    """By custom_id."""
    option: dict[str, Any] = field(default_factory=dict)
    """What has to be chosen; the error without it names it."""
    named: str = ""
    """How the error names it."""
    voices: set[str | None] = field(default_factory=lambda: {None})
    extra: set[str] = field(default_factory=set)
    """Columns that are carried along."""


HELLO: Final = {"intro": "Grüß Gott – “hier” ist's.", "outro": "Bis bald!"}
_ROWS: Final = "".join(f'{name};"{text}";kore;x\r\n' for name, text in HELLO.items())
_HEADED: Final = "ID;Text;Voice;Notes\r\n" + _ROWS
_KORE: Final[dict[str, Any]] = {"voices": {"Kore"}, "extra": {"Notes"}}
_TABLE: Final = [["ID", "Script", "Voice"], ["a", "One.", "kore"], ["b", "Two.", "PUCK"]]
_WORDPRESS: Final = (
    'id,Title,Content,Excerpt,Date,"Post Type",Permalink,Author\n'
    '17,Hello,"First line.\n\nSecond ""quoted"" line, with a comma.",,2026-11-01,post,https://x.example/?p=17,ann\n'
    '18,Bye,"So long.",,2026-11-02,post,https://x.example/?p=18,ann\n'
)

SHEETS: Final = (
    Made("excel-utf8.csv", codecs.BOM_UTF8 + _HEADED.encode(), HELLO, **_KORE),
    Made("excel-cp1252.csv", _HEADED.encode("cp1252"), HELLO, {"encoding": "cp1252"}, "--encoding cp1252", **_KORE),
    Made("excel-unicode-text.txt", _HEADED.replace(";", "\t").encode("utf-16"), HELLO, **_KORE),
    Made("excel-sep.csv", ("sep=;\r\n" + _HEADED).encode(), HELLO, **_KORE),
    Made(
        "excel-blank-rows.csv",
        b"custom_id,text,,\r\na,One.,,\r\n,,,\r\nb,Two.,,\r\n,,,\r\n,,,\r\n",
        {"a": "One.", "b": "Two."},
    ),
    Made(
        "excel-macintosh.csv",
        "ID;Text\rintro;Grüß Gott\r".encode("mac-roman"),
        {"intro": "Grüß Gott"},
        {"encoding": "mac-roman"},
        "--encoding",
    ),
    Made(
        "excel.xlsx",
        workbook({"Sheet1": Tab(_TABLE), "Sheet2": Tab(), "Sheet3": Tab()}),
        {"a": "One.", "b": "Two."},
        voices={"Kore", "Puck"},
    ),
    Made(
        "excel-two-sheets.xlsx",
        workbook({"Intro": Tab(_TABLE), "Chapter “2”": Tab([*_TABLE[:1], ["c", "Three.", "Kore"]])}),
        {"a": "One.", "b": "Two.", "c": "Three."},
        {"all_sheets": True},
        "--all-sheets",
        voices={"Kore", "Puck"},
        extra={"sheet"},
    ),
    Made(
        "excel-one-of-two.xlsx",
        workbook({"Texts, final (2)": Tab(_TABLE), "Notes": Tab([["Note"], ["x"], ["y"]])}),
        {"a": "One.", "b": "Two."},
        {"sheets": ("Texts, final (2)",)},
        "--sheet 'Texts, final (2)'",
        voices={"Kore", "Puck"},
    ),
    Made(
        "excel-hidden-and-chart.xlsx",
        workbook({"Chart1": Tab(chart=True), "Lists": Tab([["a"], ["b"]], hidden=True), "Lines": Tab(_TABLE)}),
        {"a": "One.", "b": "Two."},
        voices={"Kore", "Puck"},
    ),
    Made(
        "excel-formulas.xlsx",
        workbook({"S": Tab([["ID", "Text", "Length"], [1, Formula("One.\nTwo."), Formula("9")], [2.0, "Two.", 4]])}),
        {"1": "One.\nTwo.", "2": "Two."},
        extra={"Length"},
    ),
    Made(
        "excel-dates-as-ids.xlsx",
        workbook({"S": Tab([["ID", "Text", "Done"], [Date(46357), "One.", True], [1e3, "Two.", False]])}),
        {"2026-12-01": "One.", "1000": "Two."},
        extra={"Done"},
    ),
    Made(
        "excel-merged.xlsx",
        workbook(
            {
                "S": Tab(
                    [
                        ["Voice-over list", None, None, None],
                        [],
                        ["Chapter", "Voice", "ID", "Text (max. 300)"],
                        ["1", "leda", "a", "One."],
                        [None, None, "b", "Two."],
                        ["2", "puck", "c", "Three."],
                    ],
                    merged=["A1:D1", "A4:A5", "B4:B5"],
                )
            }
        ),
        {"a": "One.", "b": "Two.", "c": "Three."},
        voices={"Leda", "Puck"},
        extra={"Chapter"},
    ),
    Made(
        "google-sheets.csv",
        b"Line ID,Script,Voice,Status,Owner\r\nL1,One.,Kore,done,\r\nL2,Two.,Kore,,Ann\r\n",
        {"L1": "One.", "L2": "Two."},
        voices={"Kore"},
        extra={"Status", "Owner"},
    ),
    Made(
        "google-sheets.tsv",
        b"id\ttext\tnotes\r\na\tOne, two; three\tx\r\n",
        {"a": "One, two; three"},
        extra={"notes"},
    ),
    Made(
        "libreoffice.csv",
        '"Schlüssel","Ansage","Stimme"\n"a","Eins.","Kore"\n"b","Zwei.","Kore"\n'.encode(),
        {"0002": "Eins.", "0003": "Zwei."},
        {"text_column": "Ansage"},
        "--text-column",
        voices={"Kore"},
        extra={"Schlüssel"},
    ),
    Made(
        "wordpress.csv",
        _WORDPRESS.encode(),
        {
            "17": 'First line.\n\nSecond "quoted" line, with a comma.',
            "18": "So long.",
        },
        extra={"Title", "Excerpt", "Date", "Post Type", "Permalink", "Author"},
    ),
    Made(
        "woocommerce.csv",
        b'ID,Text,Tags,Format\n1,One.,"New in, Sale!",Standard\n',
        {"1": "One."},
        {"ignored_columns": ("Tags", "Format")},
        "--ignore-column Tags",
        extra={"Tags", "Format"},
    ),
    Made(
        "two-candidates.csv",
        b"id,Script,Content\na,One.,Uno.\n",
        {"a": "One."},
        {"text_column": "Script"},
        "--text-column Script",
        extra={"Content"},
    ),
    Made(
        "numbers.csv", "Name,Voice,Text\nx,Kore,“One.”\n".encode(), {"0002": "“One.”"}, voices={"Kore"}, extra={"Name"}
    ),
    Made(
        "contentful.json",
        json.dumps([{"id": "a", "text": "One.", "meta": {"n": 1}}, {"id": "b", "text": "Two."}]).encode(),
        {"a": "One.", "b": "Two."},
        extra={"meta.n"},
    ),
    Made("strings.json", b'["One.", "Two."]', {"0001": "One.", "0002": "Two."}),
    Made(
        "pandas.csv",
        b",text,voice\n0,One.,Kore\n1,Two.,Kore\n",
        {"0002": "One.", "0003": "Two."},
        voices={"Kore"},
        extra={"column 1"},
    ),
    Made(
        "header-over-lines.csv",
        b'"ID","Text\n(to be spoken)","Due\ndate"\na,One.,x\n',
        {"a": "One."},
        extra={"Due date"},
    ),
)
