"""`ttsq serve`, `ttsq keys …`, `ttsq hooks …`, `ttsq webhooks …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api_models.access import Scope
from api_models.schemes import Scheme as SchemeName
from worker.cli.gateway import hooks as hook_commands
from worker.cli.gateway import keys as key_commands
from worker.cli.gateway import serve as serve_command
from worker.cli.gateway import webhooks as webhook_commands

_JMESPATH = "JMESPath over the payload"


class HookOptions:
    """One type an option."""

    Scheme = Annotated[SchemeName, typer.Option("--scheme", "-s", help="How the sender proves who it is.")]
    SecretFile = Annotated[
        Path,
        typer.Option(
            "--secret-file", help="A file with the secret that the sender knows, so that no shell keeps it; - reads it."
        ),
    ]
    Text = Annotated[str | None, typer.Option("--text", help=f"The text: {_JMESPATH}.")]
    Template = Annotated[str | None, typer.Option("--template", help="The text, with JMESPath between {braces}.")]
    When = Annotated[str | None, typer.Option("--when", help=f"Only where this is true: {_JMESPATH}.")]
    Each = Annotated[str | None, typer.Option("--each", help="A list, of which each element becomes a job.")]
    Model = Annotated[str | None, typer.Option("--model", help=f"{_JMESPATH}; a name stands between quotes.")]
    Voice = Annotated[str | None, typer.Option("--voice", help="As --model: \"'Kore'\", or where a voice is named.")]
    Voice2 = Annotated[str | None, typer.Option("--voice-2", help="The second speaker's.")]
    CustomId = Annotated[str | None, typer.Option("--custom-id", help=f"A name of your own: {_JMESPATH}.")]
    Tags = Annotated[str | None, typer.Option("--tags", help=f"A word, or a list of them: {_JMESPATH}.")]
    Header = Annotated[str, typer.Option("--header", help="With hmac: where the signature is.")]
    Prefix = Annotated[str, typer.Option("--prefix", help="With hmac: what stands before the signature.")]
    IdHeader = Annotated[str, typer.Option("--id-header", help="With hmac, bearer, basic: what names a delivery.")]


DEFAULT_PORT = 8000

keys = typer.Typer(name="keys", add_completion=False, help="Create and revoke API keys.", no_args_is_help=True)
hooks = typer.Typer(
    name="hooks", add_completion=False, help="Turn other systems' webhooks into jobs.", no_args_is_help=True
)
webhooks = typer.Typer(
    name="webhooks",
    add_completion=False,
    help="List webhook endpoints and deliveries, and redeliver.",
    no_args_is_help=True,
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
    """Serve the HTTP API. Ctrl-C stops it gracefully."""

    serve_command.serve(host, port, all_in_one=all_in_one)


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

    key_commands.add(key_commands.NewKey(name, tenant, tuple(scope or ()), rate, budget), as_json=as_json)


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Show every key by its beginning, what it permits, and when it was used."""

    key_commands.show(as_json=as_json)


@keys.command("budget")
def limit_key(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id, name, or how it begins.")],
    dollars: Annotated[str, typer.Argument(metavar="DOLLARS", help="US dollars; `none` lifts the budget.")],
) -> None:
    """Set what all jobs submitted with a key may cost together. The rest is held until the budget is raised."""

    key_commands.limit(key, dollars)


@keys.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(metavar="KEY", help="Its id, name, or how it begins.")]) -> None:
    """Close the door to whoever has it. It takes a few seconds to be known everywhere."""

    key_commands.revoke(key)


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

    fields = {"text": text, "template": template, "when": when, "each": each, "model": model, "voice_1": voice}
    fields |= {"voice_2": voice_2, "custom_id": custom_id, "tags": tags}
    options = {"header": header, "prefix": prefix, "id_header": id_header}
    hook_commands.add(hook_commands.NewHook(name, tenant, scheme, secret_file, fields, options))


@hooks.command("list")
def list_hooks(as_json: AsJson = False) -> None:
    """Show every hook, without its secret."""

    hook_commands.show(as_json=as_json)


@hooks.command("remove")
def remove_hook(name: HookName) -> None:
    """Take a hook away. What came of its webhooks stays."""

    hook_commands.remove(name)


@hooks.command("test")
def test_hook(
    name: HookName,
    payload: Annotated[Path, typer.Argument(metavar="PAYLOAD", help="A file of JSON, as the sender would send it.")],
) -> None:
    """Show the jobs that a payload would make. Nothing is stored, nothing spent."""

    hook_commands.rehearse(name, payload)


@webhooks.command("list")
def list_endpoints(as_json: AsJson = False) -> None:
    """Show every endpoint, and how it is doing."""

    webhook_commands.endpoints_shown(as_json=as_json)


@webhooks.command("log")
def list_deliveries(
    endpoint: Annotated[str | None, typer.Option(help="Of this endpoint alone: its id.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what was sent, the newest first."""

    webhook_commands.log_shown(endpoint, limit, as_json=as_json)


@webhooks.command("show")
def show_delivery(delivery: Annotated[str, typer.Argument(metavar="ID", help="The delivery's id.")]) -> None:
    """Show every request that was made for one delivery, and what came back."""

    webhook_commands.delivery_shown(delivery)


@webhooks.command("redeliver")
def redeliver(
    which: Annotated[str, typer.Argument(metavar="ID", help="A delivery's id, or with --since an endpoint's.")],
    since: Annotated[
        str | None, typer.Option(help="All that failed from then on, such as 2026-11-20T08:00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="And up to then.", show_default="now")] = None,
) -> None:
    """Send once more what was delivered or given up. The receiver knows it again by its id."""

    webhook_commands.redeliver(which, since, until)


@webhooks.command("enable")
def enable_endpoint(endpoint: Annotated[str, typer.Argument(metavar="ID", help="The endpoint's id.")]) -> None:
    """Let a disabled endpoint hear again, from now on."""

    webhook_commands.enable(endpoint)
