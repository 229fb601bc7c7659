"""Strict models of what callers send, and their faults in words for people.

pydantic finds the faults; its own wording does not leave this module.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from shared.errors import InvalidInput, Problem
from shared.parsing.strict_json import Fault, few, pointer

_TEXTS = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this object",
    "string_type": "must be text",
    "string_unicode": "must not hold a lone surrogate",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "model_type": "must be an object",
    "dict_type": "must be an object",
}

_BOUNDS = {"greater_than_equal": "must be at least {ge}", "less_than_equal": "must be at most {le}"}


class Surroundings(NamedTuple):
    """What the rules need beside the text: handed to validators as pydantic's context."""

    accounts: tuple[str, ...]
    now: datetime


class StrictModel(BaseModel):
    """Base of what callers send: camelCase names, nothing unknown, nothing coerced, nothing null."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=False,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_there(cls, value: object) -> object:
        # A null If-Match is more likely a caller's lost ETag than a wish for an unconditional delete.
        if value is None:
            raise ValueError("must not be null; leave the field out instead")
        return value


Model = TypeVar("Model", bound=StrictModel)


def parse_model(model: type[Model], value: object, around: Surroundings, at: str = "") -> Model:
    """A model with a `batchUrl` from a JSON value; raises InvalidInput as `parse_request` does."""
    if isinstance(value, dict):
        value = {"batchUrl": around.accounts[0], **value}
    return checked(model, value, around, at)


def checked(model: type[Model], value: object, around: Surroundings | None = None, at: str = "") -> Model:
    """Any strict model from a JSON value; raises InvalidInput with a problem for each fault."""
    try:
        return model.model_validate(value, context=around, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidInput(_problems(error, at)) from None


def _problems(error: ValidationError, at: str) -> list[Problem]:
    found = [Problem(_pointer(details, at), _text(details)) for details in error.errors(include_url=False)]
    return few(found, at)


def _pointer(details: ErrorDetails, at: str) -> str:
    for token in details["loc"]:
        at = pointer(at, token)
    return at


def _text(details: ErrorDetails) -> str:
    if isinstance(details["input"], Fault):
        return details["input"].text
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    if details["type"] in _BOUNDS:
        return _BOUNDS[details["type"]].format(**details["ctx"])
    return _TEXTS.get(details["type"], "is not valid")
