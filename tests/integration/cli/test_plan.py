"""`ttsq plan`: chapters, parts, price and what is skipped, for people and scripts; nothing is bought or stored."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.terminal import Ttsq
from tests.unit.documents.books import Epub, nav, page

PARAGRAPH = "<p>" + "The ferry leaves at ten past four and arrives before it is dark. " * 20 + "</p>"
BOOK = Epub(
    [
        ("title.xhtml", page('<section epub:type="titlepage"><h1>The Ferry</h1></section>')),
        ("c1.xhtml", page(f"<h2>One</h2>{PARAGRAPH}")),
        ("c2.xhtml", page(f"<h2>Two</h2>{PARAGRAPH}{PARAGRAPH}")),
    ],
    nav=nav(("c1.xhtml", "One"), ("c2.xhtml", "Two")),
)


@pytest.fixture
def book() -> Path:
    path = Path("ferry.epub")
    path.write_bytes(BOOK.build())
    return path


def test_a_book_is_shown_by_chapter_with_its_price(ttsq: Ttsq, book: Path) -> None:
    shown = ttsq("plan", str(book))
    assert shown.code == 0
    assert "The Ferry, A. Boatman" in shown.out
    rows = [line.split() for line in shown.out.splitlines()]
    one, two, total = (next(row for row in rows if row[:1] == [name]) for name in ("One", "Two", "total"))
    assert int(total[1]) == int(one[1]) + int(two[1])
    assert "Not spoken: 1 title page." in shown.out
    assert "Nothing was queued or charged." in shown.err


def test_planning_leaves_nothing_behind(ttsq: Ttsq, book: Path) -> None:
    ttsq("plan", str(book))
    assert [path.name for path in Path().iterdir()] == [book.name]


def test_scripts_get_every_part(ttsq: Ttsq, book: Path) -> None:
    data = json.loads(ttsq("plan", str(book), "--json").out)
    assert (data["title"], data["language"], data["chapters"]) == ("The Ferry", "en", ["One", "Two"])
    assert [part["start"] for part in data["parts"][1:]] == [part["end"] for part in data["parts"][:-1]]
    assert {part["chapter"] for part in data["parts"]} == {0, 1}
    assert Decimal(str(data["cost"])) == Decimal("0.0067") * len(data["parts"])
    assert data["skipped"] == [{"what": "title page", "where": "OEBPS/title.xhtml", "text": "The Ferry"}]


def test_parts_and_what_is_skipped_can_be_read(ttsq: Ttsq, book: Path) -> None:
    shown = ttsq("plan", str(book), "--parts", "--skipped")
    assert shown.out.count("The ferry leaves") == 60
    assert 'OEBPS/title.xhtml: title page "The Ferry"' in shown.out


def test_the_sheet_it_writes_can_be_run(ttsq: Ttsq, book: Path) -> None:
    assert ttsq("plan", str(book), "--out", "parts.csv").code == 0
    with Path("parts.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["chapter"] for row in rows] == sorted(row["chapter"] for row in rows)
    spoken = ttsq("run", "parts.csv", "--rehearse", "--out", "spoken")
    assert spoken.code == 0, spoken.err
    assert len(list(Path("spoken").glob("part_*.wav"))) == len(rows)


def test_shorter_parts_on_request(ttsq: Ttsq, book: Path) -> None:
    usual = json.loads(ttsq("plan", str(book), "--json").out)
    short = json.loads(ttsq("plan", str(book), "--json", "--target", "12", "--max", "18").out)
    assert len(short["parts"]) > 2 * len(usual["parts"])
    assert max(part["seconds"] for part in short["parts"]) <= 18


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.epub",), "missing.epub: No such file"),
        (("ferry.epub", "--model", "gemini-3.1-flash"), "did you mean"),
        (("ferry.epub", "--target", "70"), "exceeds --max"),
        (("ferry.epub", "--out", "ferry.epub"), "exists already"),
        (("bad.txt",), "line 2: byte 9 is not UTF-8"),
        (("empty.md",), "no text"),
    ],
)
def test_refusals_name_the_reason(ttsq: Ttsq, book: Path, arguments: tuple[str, ...], message: str) -> None:
    Path("bad.txt").write_bytes(b"Fine.\nCaf\xe9")
    Path("empty.md").write_text("```\ncode\n```\n", encoding="utf-8")
    before = book.read_bytes()
    shown = ttsq("plan", *arguments)
    assert shown.code == 2
    assert message in shown.err
    assert book.read_bytes() == before
