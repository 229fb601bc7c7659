"""Strict models of what callers send, with readable faults.

pydantic finds the faults; its wording does not leave this module.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from shared.errors import InvalidInput, Problem
from shared.parsing.strict_json import Fault, capped, pointer

_TEXTS = {
    "missing": "is required",
    "string_type": "must be text",
    "string_unicode": "must not hold a lone surrogate",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "model_type": "must be an object",
    "string_too_short": "must not be empty",
    "dict_type": "must be an object",
}

_BOUNDS = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
}


class Surroundings(NamedTuple):
    """What the rules need besides the text: pydantic's validation context."""

    accounts: tuple[str, ...]
    now: datetime


class StrictModel(BaseModel):
    """Base of everything callers send: camelCase names, nothing unknown, nothing coerced, nothing null."""

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
        # A null If-Match is more likely an ETag the caller lost than a request for an unconditional delete.
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
    names = _names(model)
    if isinstance(value, dict) and len(value) > 2 * len(names):
        # Checked first, since pydantic would build a description of some hundred bytes for each of them.
        _refuse_unknown(value, names, at)
    try:
        return model.model_validate(value, context=around, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidInput(_problems(error, model, at)) from None


def unknown_field(meant: str | None) -> str:
    """The error text for an unknown field; `meant` is the known field that differs from it only in letter case."""
    text = "is not a field of this object"
    return f"{text}; names are case-sensitive: {meant}" if meant else text


def _names(model: type[StrictModel]) -> dict[str, str]:
    """The model's field names, keyed by their lower-case form."""
    return {alias.lower(): alias for field in model.model_fields.values() if (alias := field.alias)}


def _refuse_unknown(value: dict[str, object], names: dict[str, str], at: str) -> None:
    known = set(names.values())
    unknown = (key for key in value if key not in known)
    found = [Problem(pointer(at, key), unknown_field(names.get(key.lower()))) for key in unknown]
    if found:
        raise InvalidInput(capped(found, at))


def _model_at(model: type[StrictModel], loc: tuple[int | str, ...]) -> type[StrictModel] | None:
    """The model of the nested object at a place; None if there is no such object."""
    inner: type[StrictModel] | None = model
    for token in loc:
        fields = inner.model_fields.values() if inner else ()
        types = [
            each for field in fields if field.alias == token for each in (field.annotation, *get_args(field.annotation))
        ]
        inner = next((each for each in types if isinstance(each, type) and issubclass(each, StrictModel)), None)
    return inner


def _problems(error: ValidationError, model: type[StrictModel], at: str) -> list[Problem]:
    found = [Problem(_pointer(details, at), _text(details, model)) for details in error.errors(include_url=False)]
    return capped(found, at)


def _pointer(details: ErrorDetails, at: str) -> str:
    for token in details["loc"]:
        at = pointer(at, token)
    return at


def _text(details: ErrorDetails, model: type[StrictModel]) -> str:
    if details["type"] == "extra_forbidden":
        inner = _model_at(model, details["loc"][:-1])
        return unknown_field(_names(inner).get(str(details["loc"][-1]).lower()) if inner else None)
    if isinstance(details["input"], Fault):
        return details["input"].text
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    if details["type"] in _BOUNDS:
        return _BOUNDS[details["type"]].format(**details["ctx"])
    return _TEXTS.get(details["type"], "is not valid")
