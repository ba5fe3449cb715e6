"""HTML whose elements are nested too deeply is refused before a parser takes quadratic time for it."""

from __future__ import annotations

import pytest

from worker.documents.errors import DocumentError
from worker.documents.readers import html
from worker.documents.readers.nesting import MAX_DEPTH, check_depth

COUNT = 50_000


@pytest.mark.parametrize(
    "source",
    [
        "<div>" * COUNT + "x",
        "<div>" * COUNT + "x" + "</div>" * COUNT,
        "<ul><li>" * COUNT + "x",
        "<a><div>" * COUNT + "x",
        "<div/>" * COUNT + "x",
        "<DIV class='a'>" * COUNT,
        "".join(f"<p><font color={number}>x" for number in range(COUNT)),
        "<!-- a --><script>'</div>'</script>" + "<section>" * COUNT,
    ],
)
def test_deep_elements_are_refused_by_line(source: str) -> None:
    """Each of these takes a parser ten seconds and more; the check reads it once."""
    with pytest.raises(DocumentError, match=r"line 1: more than 1,000 elements are open"):
        html.read(source, "a.html")


@pytest.mark.parametrize(
    "source",
    [
        "<p>words" * COUNT,
        "<ul>" + "<li>words" * COUNT + "</ul>",
        "<table>" + "<tr><td>words" * COUNT + "</table>",
        "<svg>" + "<path d='m'/>" * COUNT + "</svg>",
        "<div>words</div>" * COUNT,
        "<br><img src='x'><hr>" * COUNT,
        "<script>" + "<div>" * COUNT + "</script>",
        "<!--" + "<div>" * COUNT + "-->",
        "<!--" * COUNT,
        "<a " * COUNT,
        "<" * COUNT,
        "</div>" * COUNT,
        "<a name='x'>words" * COUNT,
        "<div>" * (MAX_DEPTH - 1),
    ],
)
def test_long_pages_are_not(source: str) -> None:
    """Elements that end by themselves, scripts, comments and broken tags don't count."""
    check_depth(source)
