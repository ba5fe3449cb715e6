"""`ttsq lexicon list|show|import|export|set|rm|check|try`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from api_models.hints import did_you_mean
from api_models.lexicons import LexiconRule, Reading
from api_models.problems import InvalidInputError, faults_of
from api_models.wording import LEXICON, LEXICON_NAME
from worker.cli import database as cli_database
from worker.cli.console.errors import BadOptionError, CliError
from worker.cli.console.exits import leave
from worker.cli.console.format import number
from worker.cli.console.terminal import Terminal
from worker.cli.lexicon import checking
from worker.cli.lexicon.trying import Trial, try_word
from worker.cli.run.lexicons import is_file, read_file
from worker.cli.snapshot import stamp
from worker.producer import DEFAULT_TENANT
from worker.store import lexicons
from worker.store.lexicons import LexiconRecord
from worker.text.formats import files
from worker.text.formats.files import Form
from worker.text.lexicon.lexicon import Lexicon, replacement

app = typer.Typer(
    name="lexicon", add_completion=False, help="Rules that say how words are pronounced.", no_args_is_help=True
)

SHOWN_UNAPPLIED: Final = 10
STDIN: Final = "-"

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the lexicon.")]
Reference = Annotated[str, typer.Argument(metavar="NAME", help="Its name, or one version of it, such as brand@3.")]
Tenant = Annotated[str, typer.Option(help="Tenant of the lexicon.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_lexicons(
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """List lexicons with their newest versions."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        found = lexicons.listed(connection, tenant)
    for record in found:
        terminal.data(_data(record))
    if found and not as_json:
        terminal.result(_list(found))
    if not found:
        terminal.note(
            "No lexicons; create one with `ttsq lexicon import FILE` or `ttsq lexicon set NAME WORD --say …`."
        )


@app.command("show")
def show(name: Reference, *, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Show the rules of a lexicon."""
    terminal = Terminal(as_json=as_json)
    record = _stored(terminal, tenant, name)
    rules = record.read()
    terminal.data(_data(record) | {"rules": [rule.stored() for rule in rules]})
    if not as_json:
        terminal.result(Text(f"{record.label}  {number(len(rules), 'rule')}", style="bold"))
        terminal.result(_rules(rules))
        _tell_unapplied(terminal, rules)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON, PLS or ElevenLabs' JSON; - reads stdin.")],
    *,
    name: Annotated[str | None, typer.Option(help="Its name; default: that of the file.")] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="Format, if the name of the file does not tell.")
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Create a lexicon from a file, or replace all its rules by a new version."""
    terminal = Terminal(as_json=as_json)
    name = _checked_name(name or ("" if str(file) == STDIN else file.stem))
    try:
        content = sys.stdin.buffer.read() if str(file) == STDIN else file.read_bytes()
    except OSError as error:
        raise CliError(f"{file}: {error.strerror or error}") from None
    rules = files.read(content, str(file), form)
    record = _save(terminal, tenant, name, rules)
    terminal.done(f"{record.label}: {number(len(rules), 'rule')}.", **_data(record))
    _tell_unapplied(terminal, rules)


@app.command("export")
def export(
    name: Reference,
    *,
    form: Annotated[Form, typer.Option("--format", help="Format to write.")] = Form.CSV,
    out: Annotated[Path | None, typer.Option("--out", help="A new file; default: standard output.")] = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Write the rules of a lexicon to a file."""
    terminal = Terminal(as_json=as_json)
    record = _stored(terminal, tenant, name)
    text = files.write(record.read(), form, record.name)
    if out is None:
        terminal.data(_data(record) | {"content": text})
        if not as_json:
            for line in text.splitlines():
                terminal.unbroken(line)
        return
    try:
        with out.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise BadOptionError("--out", str(out), "exists already", "name a new file") from None
    except OSError as error:
        raise BadOptionError("--out", str(out), f"can't be written: {error.strerror or error}") from None
    message = f"Wrote {number(record.size, 'rule')} of {record.label} to {out}."
    terminal.done(message, **_data(record), file=str(out))


@app.command("set")
def set_rule(
    name: Name,
    match: Annotated[str, typer.Argument(metavar="WORD", help="The word or phrase as it is written.")],
    *,
    say: Annotated[str | None, typer.Option("--say", help="The words to speak in its place.")] = None,
    spell: Annotated[bool, typer.Option("--spell", help="Speak it letter by letter.")] = False,
    reading: Annotated[Reading | None, typer.Option("--as", help="Speak it as this kind of thing.")] = None,
    inside: Annotated[bool, typer.Option("--inside", help="Apply inside longer words too.")] = False,
    case: Annotated[bool, typer.Option("--case", help="Match upper and lower case exactly.")] = False,
    language: Annotated[str, typer.Option("--language", metavar="TAG", help="Apply to this language only.")] = "",
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Add a rule, or replace the one with the same word, case and language. Creates the lexicon if there is none."""
    terminal = Terminal(as_json=as_json)
    fields: dict[str, Any] = {"match": match, "say": say or "", "spell": spell, "as": reading}
    fields |= {"whole_word": not inside, "case": case, "language": language}
    try:
        rule = LexiconRule.model_validate(fields)
    except ValidationError as error:
        raise InvalidInputError("the command", faults_of(error)) from None
    name = _checked_name(name)
    with cli_database.queue_to_fill(cli_database.settings(terminal)) as database, database.begin() as connection:
        found = lexicons.find(connection, tenant, name)
        kept = [one for one in (found.read() if found else []) if _key(one) != _key(rule)]
        record = lexicons.save(connection, tenant, name, [*kept, rule], now=database.now(connection))
    message = f"{record.label}: “{rule.match}” is spoken as “{replacement(rule, rule.match)}”."
    terminal.done(message, **_data(record))


@app.command("rm")
def remove(
    name: Name,
    match: Annotated[str | None, typer.Argument(metavar="WORD", help="Remove the rules of this word alone.")] = None,
    *,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Remove a lexicon, or the rules of one word. Jobs that were submitted with it stay as they are."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        found = lexicons.find(connection, tenant, name)
        if found is None:
            raise _unknown(name, lexicons.names(connection, tenant))
        rules = found.read()
        kept = [rule for rule in rules if match is not None and rule.match.casefold() != match.casefold()]
        if match is not None and len(kept) == len(rules):
            known = [rule.match for rule in rules]
            raise CliError(f"{found.label} has no rule for {match}{did_you_mean(match, known)}")
        if kept:
            record = lexicons.save(connection, tenant, name, kept, now=database.now(connection))
            gone = len(rules) - len(kept)
            terminal.done(f"{record.label}: {number(gone, 'rule')} removed.", **_data(record))
            return
        lexicons.remove(connection, tenant, name)
    terminal.done(f"{name} removed; jobs that were submitted with it stay as they are.", name=name)


@app.command("check")
def check(
    lexicon: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A stored lexicon, or a file.")],
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="Show what is spoken for this text.")] = None,
    *,
    language: Annotated[str, typer.Option("--language", metavar="TAG", help="Language of the text.")] = "",
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Show rules that never apply, and what is spoken for a text. Changes nothing."""
    terminal = Terminal(as_json=as_json)
    if is_file(lexicon):
        found = read_file(Path(lexicon), Path(lexicon).name)
    else:
        record = _stored(terminal, tenant, lexicon)
        found = Lexicon(record.read(), record.label)
    notes = list(checking.notes(found.rules))
    changed = None if text is None else found.apply(text, language)
    said = {} if changed is None else {"text": text, "spoken": changed.text, "places": len(changed.edits)}
    terminal.data({"lexicon": found.label, "rules": len(found.rules), "notes": notes, **said})
    if as_json:
        return
    terminal.result(f"{found.label}: {number(len(found.rules), 'rule')}")
    for note in notes:
        terminal.warn(f"  {note}", style="yellow")
    if changed is not None:
        terminal.result(changed.text)
        terminal.note(f"applies at {number(len(changed.edits), 'place')}")


@app.command("try")
def try_candidates(
    word: Annotated[str, typer.Argument(metavar="WORD", help="The word as it is written.")],
    *,
    say: Annotated[list[str] | None, typer.Option("--say", help="A candidate; repeatable.")] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="A sentence with the word; default: the word twice.")
    ] = None,
    voice: Annotated[str | None, typer.Option("--voice", metavar="NAME", help="The voice.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="The model.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder; default: audio/try-WORD.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    rehearse: Annotated[bool, typer.Option("--rehearse", help="Try it with the emulator, at no cost.")] = False,
    as_json: AsJson = False,
) -> None:
    """Speak candidates for a pronunciation, one file each, at the price that is confirmed before.

    The word is spoken as it is written, then as each --say has it; without --say, letter by letter.
    """
    trial = Trial(word, say or (), text, voice, model, out, ask=not yes, rehearse=rehearse)
    leave(try_word(trial, Terminal(as_json=as_json)))


def _key(rule: LexiconRule) -> tuple[str, bool, str]:
    return rule.match if rule.case else rule.match.casefold(), rule.case, rule.language


def _checked_name(name: str) -> str:
    if not LEXICON_NAME.fullmatch(name):
        raise CliError(
            f"{name or 'standard input'} is not a name for a lexicon",
            "use --name with letters, digits, dots, hyphens and underscores",
        )
    return name


def _stored(terminal: Terminal, tenant: str, reference: str) -> LexiconRecord:
    parts = LEXICON.fullmatch(reference)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        version = int(parts["version"]) if parts and parts["version"] else None
        found = lexicons.find(connection, tenant, parts["name"], version) if parts else None
        if found is None:
            raise _unknown(reference, lexicons.names(connection, tenant))
    return found


def _unknown(name: str, known: Sequence[str]) -> CliError:
    return CliError(f"no lexicon {name}{did_you_mean(name, known)}", "`ttsq lexicon list` lists all")


def _save(terminal: Terminal, tenant: str, name: str, rules: Sequence[LexiconRule]) -> LexiconRecord:
    with cli_database.queue_to_fill(cli_database.settings(terminal)) as database, database.begin() as connection:
        return lexicons.save(connection, tenant, name, rules, now=database.now(connection))


def _data(record: LexiconRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "version": record.version,
        "size": record.size,
        "unapplied": record.unapplied,
        "created_at": stamp(record.created_at),
    }


def _list(records: Sequence[LexiconRecord]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("NAME", "VERSION", "RULES", "CREATED"):
        table.add_column(title, no_wrap=True)
    for record in records:
        table.add_row(record.name, str(record.version), f"{record.size:,}", stamp(record.created_at))
    return table


def _rules(rules: Sequence[LexiconRule]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("WRITTEN", "SPOKEN", ""):
        table.add_column(title)
    for rule in rules:
        said = replacement(rule, rule.match) if rule.is_applied else "(phonemes alone: not applied)"
        table.add_row(Text(rule.match), Text(said), Text(checking.conditions(rule), style="dim"))
    return table


def _tell_unapplied(terminal: Terminal, rules: Sequence[LexiconRule]) -> None:
    """List rules that have phonemes alone."""
    unapplied = [rule.match for rule in rules if not rule.is_applied]
    if not unapplied:
        return
    shown = ", ".join(unapplied[:SHOWN_UNAPPLIED]) + (", …" if len(unapplied) > SHOWN_UNAPPLIED else "")
    what = f"{number(len(unapplied), 'rule')} with phonemes alone, which no model speaks: {shown}"
    terminal.warn(f"{what}; kept for export, and applied once you add --say", style="yellow")
