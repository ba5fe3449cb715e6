"""Options and arguments as help and errors show them: flags without a type, errors in plain words.

Typer takes the words of its errors from pydantic and labels flags `<bool>`; neither has a setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

PLAIN_TYPES: Final = {"str": "text", "int": "number", "int range": "number", "float": "number", "float range": "number"}
"""Types of Python and their names in the help."""
SHOWN_CHOICES: Final = 20


class PlainOption(TyperOption):
    def display_type_rich(self, ctx: Any) -> str | None:  # noqa: ANN401 - typer's own
        if self.is_flag:
            return None
        return _plain(super().display_type_rich(ctx), is_list=self.type_descriptor.is_list)

    def process_value(self, ctx: Any, value: Any) -> Any:  # noqa: ANN401 - typer's own
        try:
            return super().process_value(ctx, value)
        except typer.BadParameter as error:
            _say_plainly(error, value)
            raise


class PlainArgument(TyperArgument):
    def display_type_rich(self, ctx: Any) -> str | None:  # noqa: ANN401 - typer's own
        return None if self.type_descriptor.choices is None else super().display_type_rich(ctx)

    def process_value(self, ctx: Any, value: Any) -> Any:  # noqa: ANN401 - typer's own
        try:
            return super().process_value(ctx, value)
        except typer.BadParameter as error:
            _say_plainly(error, value)
            raise


class PlainCommand(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer's own
        return plain_parameters(super().get_params(ctx))


class PlainGroup(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer's own
        return plain_parameters(super().get_params(ctx))


def plain_parameters(parameters: list[Any]) -> list[Any]:
    """Give parameters their plain form. Also for `--help`, which Typer makes anew each time."""
    for parameter in parameters:
        if type(parameter) is TyperOption:
            parameter.__class__ = PlainOption
        elif type(parameter) is TyperArgument:
            parameter.__class__ = PlainArgument
    return parameters


def plain(command: Any) -> Any:  # noqa: ANN401 - typer does not export its command classes
    """Give a command, and a group's commands, their plain form."""
    for one in _commands(command):
        if type(one) is TyperCommand:
            one.__class__ = PlainCommand
        elif type(one) is TyperGroup:
            one.__class__ = PlainGroup
        one.help = None if one.help is None else _unwrapped(one.help)
    return command


def _unwrapped(text: str) -> str:
    """One line per paragraph: the help breaks lines at the terminal's width, not where the source does."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _commands(command: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    yield command
    if isinstance(command, TyperGroup):
        for one in command.commands.values():
            yield from _commands(one)


def _plain(shown: str | None, *, is_list: bool) -> str | None:
    if shown is None or not (shown.startswith("<") and shown.endswith(">")):
        return shown
    bare = shown[1:-1]
    if is_list:
        bare = bare.removeprefix("list[").removesuffix("]")
    return PLAIN_TYPES.get(bare, bare)


def _say_plainly(error: typer.BadParameter, value: object) -> None:
    """Replace a message of pydantic's."""
    cause = error.__cause__
    if not hasattr(cause, "errors"):
        return
    from api_models.hints import did_you_mean, quoted  # noqa: PLC0415 - needed on failure only
    from api_models.problems import faults_of  # noqa: PLC0415 - as above

    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if choices := _choices(error):
        error.message = f"{quoted(text)} is not one of {', '.join(choices)}{did_you_mean(text, choices)}"
    else:
        error.message = f"{faults_of(cast('Any', cause))[0].message}, not {quoted(text)}"


def _choices(error: typer.BadParameter) -> list[str]:
    found = None if error.param is None else cast("Any", error.param).type_descriptor.choices
    return [str(getattr(choice, "value", choice)) for choice in found or ()][:SHOWN_CHOICES]
