"""Which sheets of a workbook are read, what its cells come to, and what of it is refused before it takes long."""

from __future__ import annotations

import io
import zipfile

import pytest

from tests.data.sheets.workbooks import Formula, Tab, rows_xml, workbook
from worker.intake.kinds import Kind
from worker.intake.reader import Judged, judge_all
from worker.intake.sheet_options import AS_IT_IS, SheetOptions
from worker.intake.xlsx.styles import as_date

ONE = Tab([["ID", "Text"], ["a", "One."], ["b", "Two."]])
OTHER = Tab([["ID", "Text"], ["c", "Three."]])


def read(content: bytes, options: SheetOptions = AS_IT_IS) -> Judged:
    return judge_all(io.BytesIO(content), kind=Kind.XLSX, options=options)


def errors(content: bytes, options: SheetOptions = AS_IT_IS) -> list[str]:
    return [str(fault) for fault in read(content, options).faults]


def names(content: bytes, options: SheetOptions = AS_IT_IS) -> list[str | None]:
    judged = read(content, options)
    assert judged.faults == []
    return [row.request.custom_id for row in judged.rows]


def sheet(*chosen: str) -> SheetOptions:
    return SheetOptions(sheets=chosen)


class TestSeveralSheets:
    """None is left out silently."""

    def test_their_names_are_listed(self) -> None:
        """With their rows, and both ways to go on; nothing of the first is taken."""
        judged = read(workbook({"Intro & “more”": ONE, "Ende\n2": OTHER, "Lists": Tab(ONE.rows, hidden=True)}))
        assert (len(judged.rows), judged.whole) == (0, True)
        assert [str(fault) for fault in judged.faults] == [
            (
                'has 2 sheets with rows: "Intro & “more”" (3 rows), "Ende\\n2" (2 rows); '
                "choose one: --sheet 'Intro & “more”', or read all of them: --all-sheets"
            )
        ]

    def test_one_is_chosen_by_name(self) -> None:
        """In any case, hidden or not, several in the order they were named."""
        book = workbook({"Intro": ONE, "Outro": OTHER, "Lists": Tab([["Text"], ["Four."]], hidden=True)})
        assert names(book, sheet("outro ")) == ["c"]
        assert names(book, sheet("Lists")) == ["0002"]
        assert names(book, sheet("Outro", "Intro", "OUTRO")) == ["c", "a", "b"]

    def test_two_that_differ_in_case_are_distinguished(self) -> None:
        """Other programs than Excel write such."""
        book = workbook({"a": ONE, "A": OTHER})
        assert names(book, sheet("A")) == ["c"]

    def test_an_unknown_name(self) -> None:
        """All are listed, and the one that was meant is named; a chart has no rows."""
        book = workbook({"Intro": ONE, "Chart": Tab(chart=True)})
        assert errors(book, sheet("Intor")) == [
            'has no sheet "Intor"; did you mean "Intro"? (sheets: "Intro", "Chart")'
        ]
        assert errors(book, sheet("Chart")) == ['the sheet "Chart" is a chart and has no rows']

    def test_sheets_without_rows_are_no_choice(self) -> None:
        """Empty ones, charts, and those with nothing but a header."""
        book = workbook({"Plan": Tab([["ID", "Text"]]), "Empty": Tab(), "Chart": Tab(chart=True), "Lines": ONE})
        assert names(book) == ["a", "b"]
        assert names(book, SheetOptions(all_sheets=True)) == ["a", "b"]

    def test_rows_in_hidden_sheets_only(self) -> None:
        """They are named, not read."""
        assert errors(workbook({"Front": Tab(), "Lines": Tab(ONE.rows, hidden=True)})) == [
            'has rows in hidden sheets only: "Lines" (hidden, 3 rows); choose one: --sheet Lines'
        ]

    def test_names_of_all_sheets_must_not_meet(self) -> None:
        """The error names both rows, each with its sheet; so does every other error."""
        twice = Tab([["ID", "Text", "Voice"], [], ["A", "Three.", ""], ["d", "Four.", "Bob"]])
        found = errors(workbook({"One": ONE, "Two": twice}), SheetOptions(all_sheets=True))
        assert found[0].startswith('sheet "Two", line 3, custom_id: "A" would overwrite "a" of sheet "One", line 2 ')
        assert found[1].startswith('sheet "Two", line 4, voice_1: no voice "Bob"')

    def test_rows_without_names_are_numbered_on(self) -> None:
        """From one sheet to the next, so that none gets the name of another."""
        book = workbook({"One": Tab([["Text"], ["a"], ["b"]]), "Two": Tab([["Text"], ["c"]])})
        assert names(book, SheetOptions(all_sheets=True)) == ["0002", "0003", "0005"]

    def test_options_that_exclude_each_other(self) -> None:
        """And those that a file without sheets, or without an encoding, can't take."""
        both = SheetOptions(sheets=("One",), all_sheets=True)
        assert errors(workbook({"One": ONE}), both) == ["--sheet One and --all-sheets were both given; leave one out"]
        assert "only a workbook" in str(judge_all(io.BytesIO(b"text\na\n"), options=sheet("x")).faults[0])
        assert "leave it out" in errors(workbook({"One": ONE}), SheetOptions(encoding="cp1252"))[0]

    def test_over_http_the_parameters_are_named(self) -> None:
        """There is no command line."""
        found = errors(workbook({"A b": ONE, "Two": OTHER}), SheetOptions(over_http=True))
        assert "choose one: sheet=A%20b, or read all of them: all_sheets=true" in found[0]


class TestCells:
    """What they come to."""

    def test_errors_of_formulas_are_errors(self) -> None:
        """In a column that counts; in others they are carried along."""
        book = workbook({"S": Tab([["Text", "Sum"], [Formula("#REF!", error=True), 1], ["a", Formula("#N/A")]])})
        assert errors(book) == [
            'line 2, text: holds "#REF!", the error of a formula; correct the formula, or write the words to be spoken'
        ]

    def test_a_formula_without_a_saved_value_is_called_that(self) -> None:
        """As programs write them that don't calculate."""
        book = workbook({"S": Tab([["ID", "Text", "Sum"], ["a", Formula(), 1], ["b", "Two.", Formula()]])})
        assert errors(book) == [
            "line 2, text: is a formula without a saved value; open the workbook in a spreadsheet program and save it"
        ]

    @pytest.mark.parametrize(
        ("number", "expected"),
        [(46357, "2026-12-01"), (0.5, "12:00:00"), (46357.75, "2026-12-01T18:00:00"), (1, "1900-01-01"), (1e9, None)],
    )
    def test_dates_are_shown_as_such(self, number: float, expected: str | None) -> None:
        """And what lies outside the calendar is left a number."""
        assert as_date(number, from_1904=False) == expected

    def test_cells_beside_the_table_are_no_cells_of_it(self) -> None:
        """A note to the right of the last column spoils no row."""
        assert names(workbook({"S": Tab([["ID", "Text"], ["a", "One.", None, "a note"]])})) == ["a"]


class TestHostile:
    """Small files that would take long, or much memory."""

    @pytest.mark.parametrize(
        ("xml", "expected"),
        [
            (rows_xml('<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>'), "names a row 2000000000"),
            (rows_xml('<row r="99999999999999999999999"/>'), "a row without a number"),
            (rows_xml('<row r="2"/><row r="1"/>'), "row 1 comes after row 2"),
            (rows_xml("<row/>" * 2_100_000), "names a row 1048577"),
            (rows_xml("<row>" + "<c/>" * 4_100_000 + "</row>"), "millions of empty cells"),
            (rows_xml('<row r="1"><c r="ZZZZZZZ1"><v>1</v></c></row>'), "a cell is far outside"),
            (rows_xml('<row r="1"><c t="s"><v>7</v></c></row>'), "refers to a text that there isn't"),
            (rows_xml("<row><c><v>" + "9" * 200_000 + "</v></c></row>"), "longer than 131,072 characters"),
            ('<!DOCTYPE x [<!ENTITY a "b">]>' + rows_xml(""), "a document type declaration"),
            (rows_xml("<row>"), "ExpatError"),
            ('<worksheet a="' + "x" * 5_000_000 + '"/>', "a tag without end"),
        ],
        ids=lambda value: value[:30] if isinstance(value, str) else None,
    )
    def test_a_sheet_that_can_not_be_is_one_error(self, xml: str, expected: str) -> None:
        """Found where it is, without unpacking what follows."""
        (found,) = errors(workbook({"S": Tab(xml=xml)}))
        assert expected in found

    def test_far_away_rows_and_columns_cost_nothing(self) -> None:
        """A cell in the last row and one in the last column are no million cells."""
        rows = '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c></row>'
        rows += '<row r="1048576"><c r="A1048576" t="inlineStr"><is><t>Last.</t></is></c><c r="XFD1048576"/></row>'
        assert names(workbook({"S": Tab(xml=rows_xml(rows))})) == ["1048576"]

    @pytest.mark.parametrize("part", ["xl/styles.xml", "xl/sharedStrings.xml", "docProps/junk.bin"])
    def test_a_part_that_unpacks_to_far_more_is_refused(self, part: str) -> None:
        """By what the directory says, before anything is unpacked."""
        stream = io.BytesIO(workbook({"S": ONE}))
        with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(part + ".", b"")
            archive.writestr(part.upper(), b" " * 40_000_000)
        assert errors(stream.getvalue()) == ['is too large for a workbook; save the sheet as "CSV UTF-8"']
