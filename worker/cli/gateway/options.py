"""The options of `ttsq hooks add`. JMESPath is described at https://jmespath.org."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api_models.schemes import Scheme as SchemeName

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
