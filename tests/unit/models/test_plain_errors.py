"""Errors never show a regular expression or pydantic's own words, whatever the model and the value."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from api_models.account import GateChange
from api_models.batches import BatchIn
from api_models.endpoints import EndpointIn
from api_models.hooks import HookMapping
from api_models.jobs import JobIn
from api_models.problems import faults_of
from worker.settings import Settings

WRONG: tuple[Any, ...] = (
    None, "", " ", "x" * 10_000, "a\nb", "\x00", -1, 0, 10**400, 1.5, float("nan"), True, [], ["a b"], [1], {},
    {"a": 1}, "A b/c", "ftp://x",
)  # fmt: skip
FOREIGN = re.compile(
    r"Input|should|valid (?:string|dict|int|number|list)|Value error|\^|\\x|\[\^|pydantic|regex|pattern"
)


@pytest.mark.parametrize(
    "model", [JobIn, BatchIn, EndpointIn, GateChange, HookMapping, Settings], ids=lambda one: one.__name__
)
def test_errors_are_in_plain_words(model: type[BaseModel]) -> None:
    """Every field is given every wrong value."""
    for name, field in model.model_fields.items():
        given = str(field.validation_alias.choices[0]) if hasattr(field.validation_alias, "choices") else name  # type: ignore[union-attr]
        for value in WRONG:
            try:
                model.model_validate({given: value})
            except ValidationError as error:
                for fault in faults_of(error):
                    assert not FOREIGN.search(fault.message), (name, value, fault.message)
