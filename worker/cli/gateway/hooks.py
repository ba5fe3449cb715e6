"""`ttsq hooks add|change|rotate|list|remove|test`: inbound webhooks."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from api_models.formats import AudioFormat
from api_models.hooks import HookMapping
from api_models.problems import Fault, InvalidInputError, faults_of
from api_models.schemes import Scheme as SignatureScheme
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.format import number
from worker.cli.console.option_groups import takes
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import stamp
from worker.gateway import mapping, strict_json
from worker.gateway.problems import ProblemError
from worker.gateway.routes.hooks import jobs_of
from worker.store.access import hooks
from worker.store.access.hooks import HookRecord
from worker.webhooks import signatures

_FIGURE = re.compile(r"-?[0-9][0-9.]*[kK]?")
_WITH_LITERALS = frozenset({"format", "loudness", "sample_rate", "mp3_bitrate"})
"""Options whose plain values need no quote marks."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


_JMESPATH = "JMESPath over the payload"


@dataclass(frozen=True, slots=True)
class HookFields:
    """What a hook makes of a payload. Names are the options' parameters; an empty value is an option to remove."""

    text: Annotated[str | None, typer.Option("--text", help=f"The text: {_JMESPATH}.")] = None
    template: Annotated[str | None, typer.Option("--template", help="The text, with JMESPath in {braces}.")] = None
    when: Annotated[str | None, typer.Option("--when", help=f"Condition: {_JMESPATH}.")] = None
    each: Annotated[str | None, typer.Option("--each", help="A list; each element becomes a job.")] = None
    model: Annotated[str | None, typer.Option("--model", help=f"The model: {_JMESPATH}; quote a literal name.")] = None
    voice: Annotated[str | None, typer.Option("--voice", help="The voice, or a quoted name such as \"'Kore'\".")] = None
    voice_2: Annotated[str | None, typer.Option("--voice-2", help="The second speaker's voice.")] = None
    custom_id: Annotated[str | None, typer.Option("--custom-id", help=f"The custom_id: {_JMESPATH}.")] = None
    tags: Annotated[str | None, typer.Option("--tags", help=f"A tag or a list of tags: {_JMESPATH}.")] = None
    audio_format: Annotated[
        str | None,
        typer.Option("--format", metavar="|".join(AudioFormat), help=f"Format of the audio, or {_JMESPATH}."),
    ] = None
    loudness: Annotated[str | None, typer.Option("--loudness", help="LUFS, such as -16, or JMESPath.")] = None
    sample_rate: Annotated[str | None, typer.Option("--sample-rate", help="Hz, such as 44100, or JMESPath.")] = None
    mp3_bitrate: Annotated[str | None, typer.Option("--mp3-bitrate", help="Such as 128k, or JMESPath.")] = None
    title: Annotated[str | None, typer.Option("--title", help=f"Title tag of MP3s: {_JMESPATH}.")] = None
    artist: Annotated[str | None, typer.Option("--artist", help=f"Artist tag of MP3s: {_JMESPATH}.")] = None
    album: Annotated[str | None, typer.Option("--album", help=f"Album tag of MP3s: {_JMESPATH}.")] = None
    track: Annotated[str | None, typer.Option("--track", help=f"Track number of MP3s: {_JMESPATH}.")] = None
    lexicon: Annotated[
        str | None, typer.Option("--lexicon", help="The lexicon, or a quoted name such as \"'brand'\".")
    ] = None

    def expressions(self) -> dict[str, str | None]:
        """The options that were given, by fields of the mapping; None for those to remove."""
        given = asdict(self)
        given |= {"voice_1": given.pop("voice"), "format": given.pop("audio_format")}
        return _given({name: value if value is None else _literal(name, value) for name, value in given.items()})


Scheme = Annotated[SignatureScheme, typer.Option("--scheme", "-s", help="How the sender authenticates.")]
SecretFile = Annotated[
    Path,
    typer.Option("--secret-file", help="File with the sender's secret; - reads standard input."),
]
app = typer.Typer(
    name="hooks", add_completion=False, help="Turn other systems' webhooks into jobs.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
HookName = Annotated[str, typer.Argument(metavar="NAME", help="Last part of the hook's URL.")]


@app.command("add")
@takes(fields=HookFields)
def add(
    name: HookName,
    *,
    scheme: Scheme,
    secret_file: SecretFile,
    fields: HookFields,
    header: Annotated[str, typer.Option("--header", help="With hmac: header of the signature.")] = "x-signature",
    prefix: Annotated[str, typer.Option("--prefix", help="With hmac: prefix of the signature.")] = "",
    id_header: Annotated[
        str, typer.Option("--id-header", help="With hmac, bearer, basic: header of the delivery id.")
    ] = "x-delivery-id",
    tenant: Annotated[str, typer.Option(help="Tenant of the jobs.")] = "default",
    as_json: AsJson = False,
) -> None:
    """Create an endpoint, /v1/hooks/NAME, that turns another system's webhooks into jobs."""
    terminal = Terminal(as_json=as_json)
    if not _NAME.fullmatch(name):
        raise CliError(f"{name} is not a valid hook name", "use letters, digits, dots, hyphens and underscores")
    found = _mapping(fields.expressions())
    secret = _secret(secret_file, scheme)
    with cli_database.queue_to_fill(cli_database.settings(terminal)) as database, database.begin() as connection:
        record = HookRecord(
            id=uuid7(),
            tenant=tenant,
            name=name,
            scheme=str(scheme),
            secret=secret,
            options={"header": header, "prefix": prefix, "id_header": id_header},
            mapping=found.model_dump(exclude_none=True),
            created_at=database.now(connection),
        )
        if not hooks.add(connection, record):
            raise CliError(f"hook {name} already exists", f"change it with `ttsq hooks change {name}`")
    message = f"Send its webhooks to /v1/hooks/{name} of the gateway."
    terminal.done(message, name=name, tenant=tenant, path=f"/v1/hooks/{name}")
    terminal.note(f"`ttsq hooks test {name} PAYLOAD.json` shows the jobs that a payload would create.")


@app.command("change")
@takes(fields=HookFields)
def change(
    name: HookName,
    *,
    fields: HookFields,
    header: Annotated[str | None, typer.Option("--header", help="With hmac: header of the signature.")] = None,
    prefix: Annotated[str | None, typer.Option("--prefix", help="With hmac: prefix of the signature.")] = None,
    id_header: Annotated[str | None, typer.Option("--id-header", help="Header of the delivery id.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change what a hook makes of a webhook. What is not given stays; an empty value removes it."""
    terminal = Terminal(as_json=as_json)
    options = {"header": header, "prefix": prefix, "id_header": id_header}
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        hook = _existing(connection, name)
        replaced = {"text", "template"} if fields.text or fields.template else set()
        kept = {field: value for field, value in hook.mapping.items() if field not in replaced}
        found = _mapping({**kept, **fields.expressions()})
        record = replace(hook, mapping=found.model_dump(exclude_none=True), options={**hook.options, **_given(options)})
        hooks.change(connection, record)
    terminal.done(f"{name} changed.", name=name)


@app.command("rotate")
def rotate(
    name: HookName,
    secret_file: SecretFile,
    overlap: Annotated[
        float, typer.Option("--overlap-hours", min=0, max=720, help="Hours for which the old secret is still accepted.")
    ] = 24,
    as_json: AsJson = False,
) -> None:
    """Replace the secret of a hook. Deliveries that were received stay known."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        hook = _existing(connection, name)
        secret = _secret(secret_file, SignatureScheme(hook.scheme))
        until = database.now(connection) + timedelta(hours=overlap)
        hooks.change(connection, replace(hook, secret=secret, old_secret=hook.secret, old_secret_until=until))
    message = f"{name} has the new secret; the old one is accepted until {stamp(until)}."
    terminal.done(message, name=name, old_secret_until=stamp(until))


@app.command("list")
def list_hooks(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per hook.")] = False,
) -> None:
    """List hooks, without their secrets."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        found = hooks.listed(connection)
    for hook in found:
        terminal.data(
            {
                "name": hook.name,
                "tenant": hook.tenant,
                "scheme": hook.scheme,
                "mapping": dict(hook.mapping),
                "created_at": stamp(hook.created_at),
            }
        )
        if not as_json:
            parts = ", ".join(f"{name}: {expression}" for name, expression in hook.mapping.items())
            terminal.result(f"{hook.name}  {hook.scheme}  tenant {hook.tenant}  {parts}")
    if not found:
        terminal.note("No hooks; create one with `ttsq hooks add`.")


@app.command("remove")
def remove(name: HookName, as_json: AsJson = False) -> None:
    """Remove a hook. Its jobs are kept, and its deliveries stay known if it is added again."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        if not hooks.remove(connection, name):
            raise CliError(f"no hook {name}", "`ttsq hooks list` lists all")
    terminal.done(f"{name} removed; its URL returns 404 from now on.", name=name)


@app.command("test")
def try_payload(
    *,
    name: HookName,
    payload: Annotated[Path, typer.Argument(metavar="PAYLOAD", help="JSON file with a sample payload.")],
    as_json: AsJson = False,
) -> None:
    """Show the jobs that a payload would create. Queues nothing."""
    terminal = Terminal(as_json=as_json)
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.read() as connection:
        hook = _existing(connection, name)
    try:
        jobs = jobs_of(hook, strict_json.loads(payload.read_bytes()), {"max_text_bytes": settings.max_text_bytes})
    except ProblemError as problem:
        faults = problem.faults or (Fault(message=problem.detail),)
        raise InvalidInputError(str(payload), faults) from None
    shown = [job.model_dump(mode="json", exclude_defaults=True) for job in jobs]
    lines = [f"{number(len(jobs), 'job')} would be created.", *(json.dumps(job, ensure_ascii=False) for job in shown)]
    terminal.done("\n".join(lines), jobs=shown)


def _literal(name: str, value: str) -> str:
    """Quote a plain value for JMESPath, such as `mp3` or `-16`; leave expressions alone."""
    plain = value.lower() in tuple(AudioFormat) if name == "format" else _FIGURE.fullmatch(value) is not None
    return f"'{value}'" if plain and name in _WITH_LITERALS else value


def _existing(connection: Connection, name: str) -> HookRecord:
    hook = hooks.by_name(connection, name)
    if hook is None:
        raise CliError(f"no hook {name}", "`ttsq hooks list` lists all")
    return hook


def _given(options: Mapping[str, str | None]) -> dict[str, str | None]:
    """Those that are not None; empty ones, which are to be removed, as None."""
    return {name: value or None for name, value in options.items() if value is not None}


def _mapping(fields: Mapping[str, str | None]) -> HookMapping:
    try:
        found = HookMapping.model_validate(dict(fields))
    except ValidationError as error:
        raise InvalidInputError("the hook's command line", faults_of(error)) from None
    understood = mapping.parse(found)
    faults = understood if isinstance(understood, list) else []
    if brace := mapping.unmatched_brace(found.template or ""):
        faults = [*faults, brace]
    if faults:
        raise InvalidInputError("the hook's command line", faults)
    return found


def _secret(path: Path, scheme: SignatureScheme) -> str:
    secret = (sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")).strip()
    if len(secret) < 8:
        raise CliError("the secret is shorter than 8 characters", "write the sender's whole secret to the file")
    if scheme is SignatureScheme.STANDARD:
        try:
            signatures.key_of(secret)
        except ValueError:
            raise CliError("a Standard Webhooks secret is base64", "such as whsec_MfKQ9r8GKYqr…") from None
    return secret
