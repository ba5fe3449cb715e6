"""Scripts in Markdown: paragraphs that begin with a bold name (`**Anna:** Good morning.`); headings are scenes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from worker.scripts.readers.builder import ScriptBuilder
from worker.scripts.readers.fountain import plain

_NAME: Final = re.compile(
    r"(?:[-*+>][ \t]+)?(?:\*\*|__)(?P<name>[^*_\n:：]{1,80}?)[ \t]*"
    r"(?:\((?P<direction>[^()\n]{1,200})\)[ \t]*)?(?:[:：][ \t]*(?:\*\*|__)|(?:\*\*|__)[ \t]*[:：])(?P<words>.*)",
)
_HEADING: Final = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t#]*\Z")
_RULE: Final = re.compile(r"(?:[-*_][ \t]*){3,}\Z")
_FENCE: Final = re.compile(r"(```+|~~~+)")
_FRONT_MATTER: Final = re.compile(r"(title|author|language|lang)[ \t]*:[ \t]*[\"']?(.*?)[\"']?[ \t]*\Z", re.IGNORECASE)
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_LINK: Final = re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\n]{0,2000}\)")
_MARK: Final = re.compile(r"[*_]{1,2}(?=[\[(])|(?<=[\])])[*_]{1,2}")
MAX_HEADING: Final = 300


def is_script(source: str) -> bool:
    """Whether a Markdown text has a bold name before a colon."""
    return any(_NAME.fullmatch(line) for line in source.split("\n") if len(line.lstrip()) > 4)


def read(source: str, builder: ScriptBuilder) -> None:
    """Read a script in Markdown. YAML front matter may name title, author and language."""
    source = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), source)
    lines = source.split("\n")
    first = _front_matter(lines, builder)
    top = _title_level(lines[first:])
    for number, paragraph in _paragraphs(lines, first, builder):
        text = "\n".join(paragraph)
        heading = _HEADING.fullmatch(text) if len(text) <= MAX_HEADING else None
        if heading is not None and heading[1] == top and not builder.title:
            builder.title = plain(heading[2])
        elif heading is not None:
            builder.scene(plain(heading[2]))
        elif _RULE.fullmatch(text):
            builder.scene()
        else:
            _turn(paragraph, number, builder)


def _front_matter(lines: Sequence[str], builder: ScriptBuilder) -> int:
    if not lines or lines[0].rstrip() != "---":
        return 0
    for index, line in enumerate(lines[1:], 1):
        if line.rstrip() in ("---", "..."):
            return index + 1
        if (found := _FRONT_MATTER.fullmatch(line)) is not None:
            name = found[1].lower()
            setattr(builder, "language" if name.startswith("lang") else name, found[2])
    return 0


def _title_level(lines: Sequence[str]) -> str:
    """Return the highest heading if it occurs once; then it is the script's title."""
    found = (_HEADING.fullmatch(line) for line in lines if len(line) <= MAX_HEADING)
    counts = Counter(heading[1] for heading in found if heading)
    top = min(counts, default="")
    return top if counts[top] == 1 else ""


def _paragraphs(lines: Sequence[str], first: int, builder: ScriptBuilder) -> Iterator[tuple[int, list[str]]]:
    """Yield runs of lines with the number of the first; a name, a heading and a rule begin one of their own."""
    begun, run, fence = first, list[str](), ""
    for index, line in enumerate(lines[first:], first):
        bare = line.strip()
        mark = _FENCE.match(bare)
        if mark is not None or fence:
            if mark is not None and (not fence or mark[1].startswith(fence)):
                fence = "" if fence else mark[1]
                if fence:
                    builder.skip("code", index + 1, bare)
            bare = ""
        is_alone = bool(_HEADING.fullmatch(bare[:MAX_HEADING]) or _RULE.fullmatch(bare))
        if run and (not bare or is_alone or _NAME.fullmatch(bare)):
            yield begun + 1, run
            run = []
        if bare:
            begun = begun if run else index
            run.append(bare)
        if is_alone:
            yield index + 1, run
            run = []
    if run:
        yield begun + 1, run


def _turn(paragraph: Sequence[str], number: int, builder: ScriptBuilder) -> None:
    found = _NAME.fullmatch(paragraph[0])
    if found is None:
        text = _text(paragraph)
        if any(map(str.isalnum, text)):
            builder.turn("", text, number)
        return
    direction = plain(found["direction"] or "")
    builder.turn(plain(found["name"]), _text([found["words"], *paragraph[1:]]), number, direction=direction)


def _text(lines: Sequence[str]) -> str:
    return plain(_MARK.sub("", _LINK.sub(r"\1", "\n".join(line.removeprefix("> ") for line in lines))))
