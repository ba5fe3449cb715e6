"""Options that several commands share: declared once, as the fields of a dataclass, and added by `takes`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints

Command = Callable[..., None]


def takes(**groups: type[Any]) -> Callable[[Command], Command]:
    """Add the fields of dataclasses to a command's options; it receives an instance of each by keyword."""

    def add(command: Command) -> Command:
        @functools.wraps(command)
        def with_options(**given: Any) -> None:  # noqa: ANN401 - what typer parsed
            made = {
                name: group(**{field.name: given.pop(field.name) for field in fields(group)})
                for name, group in groups.items()
            }
            command(**given, **made)

        parameters = [
            *(one for one in _parameters(command) if one.name not in groups),
            *(one for group in groups.values() for one in _parameters(group)),
        ]
        with_options.__dict__["__signature__"] = inspect.Signature(parameters)
        with_options.__annotations__ = {one.name: one.annotation for one in parameters}
        return with_options

    return add


def _parameters(declared: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function or a dataclass, by keyword and with their annotations evaluated."""
    hints = get_type_hints(declared, include_extras=True)
    return [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(declared).parameters.values()
    ]
