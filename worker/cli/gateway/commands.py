"""`ttsq serve`, `ttsq keys …`, `ttsq hooks …`, `ttsq webhooks …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api_models.access import Scope
from worker.cli.gateway.options import HookOptions

DEFAULT_PORT = 8000

keys = typer.Typer(name="keys", help="Make and revoke keys of the HTTP API.", no_args_is_help=True)
hooks = typer.Typer(name="hooks", help="Turn other systems' webhooks into jobs.", no_args_is_help=True)
webhooks = typer.Typer(
    name="webhooks", help="See who hears of events, and what was sent to them.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
HookName = Annotated[str, typer.Argument(metavar="NAME", help="The last part of the hook's address.")]
Tenant = Annotated[str, typer.Option(help="Whose it is.")]


def serve(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes a free port.", min=0, max=65_535)] = DEFAULT_PORT,
    all_in_one: Annotated[
        bool, typer.Option("--all-in-one", help="Run a worker in this process too: one machine, one command.")
    ] = False,
) -> None:
    """Serve the HTTP API: jobs in, audio, events and webhooks out. Ctrl-C ends it in good order."""
    from worker.cli.gateway import serving  # noqa: PLC0415 - `ttsq --help` doesn't pay for a web server

    serving.serve(host, port, all_in_one=all_in_one)


@keys.command("add")
def add_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    *,
    tenant: Tenant = "default",
    scope: Annotated[
        list[Scope] | None, typer.Option("--scope", "-s", help="What it permits.", show_default="everything")
    ] = None,
    rate: Annotated[int | None, typer.Option(min=1, help="Requests a minute.", show_default="no limit")] = None,
    budget: Annotated[
        str | None, typer.Option(help="US dollars that its jobs may cost altogether.", show_default="no limit")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once, here and now."""
    from worker.cli.gateway import keeping  # noqa: PLC0415 - `ttsq --help` doesn't pay for the database's library

    keeping.add(keeping.Wanted(name, tenant, tuple(scope or ()), rate, budget), as_json=as_json)


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Show every key by its beginning, what it permits, and when it was used."""
    from worker.cli.gateway import keeping  # noqa: PLC0415 - as above

    keeping.show(as_json=as_json)


@keys.command("budget")
def limit_key(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id, name, or how it begins.")],
    dollars: Annotated[str, typer.Argument(metavar="DOLLARS", help="US dollars; `none` lifts the budget.")],
) -> None:
    """Set what all jobs submitted with a key may cost together. The rest is held until the budget is raised."""
    from worker.cli.gateway import keeping  # noqa: PLC0415 - as above

    keeping.limit(key, dollars)


@keys.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(metavar="KEY", help="Its id, name, or how it begins.")]) -> None:
    """Close the door to whoever has it. It takes a few seconds to be known everywhere."""
    from worker.cli.gateway import keeping  # noqa: PLC0415 - as above

    keeping.revoke(key)


@hooks.command("add")
def add_hook(
    name: HookName,
    *,
    scheme: HookOptions.Scheme,
    secret_file: HookOptions.SecretFile,
    text: HookOptions.Text = None,
    template: HookOptions.Template = None,
    when: HookOptions.When = None,
    each: HookOptions.Each = None,
    model: HookOptions.Model = None,
    voice: HookOptions.Voice = None,
    voice_2: HookOptions.Voice2 = None,
    custom_id: HookOptions.CustomId = None,
    tags: HookOptions.Tags = None,
    header: HookOptions.Header = "x-signature",
    prefix: HookOptions.Prefix = "",
    id_header: HookOptions.IdHeader = "x-delivery-id",
    tenant: Tenant = "default",
) -> None:
    """Make an address, /v1/hooks/NAME, at which somebody else's webhook becomes jobs."""
    from worker.cli.gateway import hooking  # noqa: PLC0415 - as above

    fields = {"text": text, "template": template, "when": when, "each": each, "model": model, "voice_1": voice}
    fields |= {"voice_2": voice_2, "custom_id": custom_id, "tags": tags}
    options = {"header": header, "prefix": prefix, "id_header": id_header}
    hooking.add(hooking.Wanted(name, tenant, scheme, secret_file, fields, options))


@hooks.command("list")
def list_hooks(as_json: AsJson = False) -> None:
    """Show every hook, without its secret."""
    from worker.cli.gateway import hooking  # noqa: PLC0415 - as above

    hooking.show(as_json=as_json)


@hooks.command("remove")
def remove_hook(name: HookName) -> None:
    """Take a hook away. What came of its webhooks stays."""
    from worker.cli.gateway import hooking  # noqa: PLC0415 - as above

    hooking.remove(name)


@hooks.command("test")
def test_hook(
    name: HookName,
    payload: Annotated[Path, typer.Argument(metavar="PAYLOAD", help="A file of JSON, as the sender would send it.")],
) -> None:
    """Show the jobs that a payload would make. Nothing is stored, nothing spent."""
    from worker.cli.gateway import hooking  # noqa: PLC0415 - as above

    hooking.rehearse(name, payload)


@webhooks.command("list")
def list_endpoints(as_json: AsJson = False) -> None:
    """Show every endpoint, and how it is doing."""
    from worker.cli.gateway import sending  # noqa: PLC0415 - as above

    sending.endpoints_shown(as_json=as_json)


@webhooks.command("log")
def list_deliveries(
    endpoint: Annotated[str | None, typer.Option(help="Of this endpoint alone: its id.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what was sent, the newest first."""
    from worker.cli.gateway import sending  # noqa: PLC0415 - as above

    sending.log_shown(endpoint, limit, as_json=as_json)


@webhooks.command("show")
def show_delivery(delivery: Annotated[str, typer.Argument(metavar="ID", help="The delivery's id.")]) -> None:
    """Show every request that was made for one delivery, and what came back."""
    from worker.cli.gateway import sending  # noqa: PLC0415 - as above

    sending.delivery_shown(delivery)


@webhooks.command("redeliver")
def redeliver(
    which: Annotated[str, typer.Argument(metavar="ID", help="A delivery's id, or with --since an endpoint's.")],
    since: Annotated[
        str | None, typer.Option(help="All that failed from then on, such as 2026-11-20T08:00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="And up to then.", show_default="now")] = None,
) -> None:
    """Send once more what was delivered or given up. The receiver knows it again by its id."""
    from worker.cli.gateway import sending  # noqa: PLC0415 - as above

    sending.redeliver(which, since, until)


@webhooks.command("enable")
def enable_endpoint(endpoint: Annotated[str, typer.Argument(metavar="ID", help="The endpoint's id.")]) -> None:
    """Let a disabled endpoint hear again, from now on."""
    from worker.cli.gateway import sending  # noqa: PLC0415 - as above

    sending.enable(endpoint)
