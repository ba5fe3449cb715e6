"""Inbound hooks, made, shown, tried out and taken away."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from uuid_utils.compat import uuid7

from api_models.hooks import HookMapping
from api_models.problems import Fault, InvalidInputError, faults_of
from api_models.schemes import Scheme
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.format import number
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import stamp
from worker.gateway import mapping, strict_json
from worker.gateway.problems import ProblemError
from worker.gateway.routes.hooks import jobs_of
from worker.store.access import hooks
from worker.store.access.hooks import HookRecord
from worker.webhooks import signatures

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class NewHook:
    """A hook as it was asked for."""

    name: str
    tenant: str
    scheme: Scheme
    secret_file: Path
    mapping: Mapping[str, str | None]
    options: Mapping[str, str]


def add(wanted: NewHook) -> None:
    """A new hook, once everything about it is right."""
    terminal = Terminal()
    if not _NAME.fullmatch(wanted.name):
        raise CliError(f"{wanted.name} is no name for a hook", "use letters, digits, dots, hyphens and underscores")
    found = _mapping(wanted.mapping)
    secret = _secret(wanted.secret_file, wanted.scheme)
    with cli_database.queue_to_fill(cli_database.settings(terminal)) as database, database.begin() as connection:
        record = HookRecord(
            id=uuid7(),
            tenant=wanted.tenant,
            name=wanted.name,
            scheme=str(wanted.scheme),
            secret=secret,
            options=wanted.options,
            mapping=found.model_dump(exclude_none=True),
            created_at=database.now(connection),
        )
        if not hooks.add(connection, record):
            raise CliError(f"there is a hook {wanted.name} already", f"`ttsq hooks remove {wanted.name}` takes it away")
    terminal.result(f"Webhooks for it go to /v1/hooks/{wanted.name} of the gateway.")
    terminal.note(f"`ttsq hooks test {wanted.name} PAYLOAD.json` shows what a payload would make.")


def show(*, as_json: bool) -> None:
    """Every hook, without its secret."""
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
        terminal.note("There are no hooks; `ttsq hooks add` makes one.")


def remove(name: str) -> None:
    """Take it away."""
    terminal = Terminal()
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        if not hooks.remove(connection, name):
            raise CliError(f"there is no hook {name}", "`ttsq hooks list` shows all")
    terminal.result(f"{name} is gone; its sender gets 404 from now on.")


def rehearse(name: str, payload: Path) -> None:
    """What a payload would make."""
    terminal = Terminal()
    settings = cli_database.settings(terminal)
    with cli_database.queue(settings) as database, database.read() as connection:
        hook = hooks.by_name(connection, name)
    if hook is None:
        raise CliError(f"there is no hook {name}", "`ttsq hooks list` shows all")
    try:
        jobs = jobs_of(hook, strict_json.loads(payload.read_bytes()), {"max_text_bytes": settings.max_text_bytes})
    except ProblemError as problem:
        faults = problem.faults or (Fault(message=problem.detail),)
        raise InvalidInputError(str(payload), faults) from None
    terminal.result(f"{number(len(jobs), 'job')} would be made.")
    for job in jobs:
        terminal.result(job.model_dump_json(exclude_defaults=True))


def _mapping(fields: Mapping[str, str | None]) -> HookMapping:
    try:
        found = HookMapping.model_validate(dict(fields))
    except ValidationError as error:
        raise InvalidInputError("the hook's command line", faults_of(error)) from None
    understood = mapping.parse(found)
    if isinstance(understood, list):
        raise InvalidInputError("the hook's command line", understood)
    return found


def _secret(path: Path, scheme: Scheme) -> str:
    secret = (sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")).strip()
    if len(secret) < 8:
        raise CliError("the secret is shorter than 8 characters", "put the sender's whole secret into the file")
    if scheme is Scheme.STANDARD:
        try:
            signatures.key_of(secret)
        except ValueError:
            raise CliError("a Standard Webhooks secret is base64", "it looks like whsec_MfKQ9r8GKYqr…") from None
    return secret
