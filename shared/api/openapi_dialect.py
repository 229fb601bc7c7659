"""How the published description writes schemas, so that the code generators of every language can read them.

Many generators lose a value whose schema is `anyOf: [X, null]`, or an enum without a type, and treat a member with a
default as required. pydantic makes the schemas; this module changes what it writes.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from shared.parsing.strict_model import StrictModel

Schema = dict[str, Any]

REF = "#/components/schemas/"


def ref(name: str) -> Schema:
    """A reference to a named schema."""
    return {"$ref": REF + name}


def nullable(schema: Schema) -> Schema:
    """The schema, or null."""
    if "$ref" in schema:
        return {"oneOf": [schema, {"type": "null"}]}
    found = {**schema, "type": [schema["type"], "null"]}
    return found | {"enum": [*found["enum"], None]} if "enum" in found else found


class _Answered(GenerateJsonSchema):
    """Schemas of responses."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return nullable(self.generate_inner(schema["schema"]))

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class _Asked(_Answered):
    """Schemas of requests: a field may be left out, but not null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def asked_schemas(models: dict[str, type[StrictModel]]) -> dict[str, Schema]:
    """The schemas of request models, by the names given, and of everything they refer to."""
    found: dict[str, Schema] = {}
    for name, model in models.items():
        schema = model.model_json_schema(by_alias=True, ref_template=REF + "{model}", schema_generator=_Asked)
        found |= schema.pop("$defs", {}) | {name: schema}
    return {name: _without_titles(schema) for name, schema in found.items()}


def answered_schemas(*kinds: Any) -> dict[str, Schema]:
    """The schemas of response types, by their class names, and of everything they refer to."""
    inputs = [(kind.__name__, "serialization", TypeAdapter[Any](kind)) for kind in kinds]
    _, found = TypeAdapter.json_schemas(
        inputs,  # type: ignore[arg-type]  # the mode is a literal
        by_alias=True,
        ref_template=REF + "{model}",
        schema_generator=_Answered,
    )
    return {name: _without_titles(schema) for name, schema in found["$defs"].items()}


def merged(description: str, *schemas: Schema) -> Schema:
    """One schema for several kinds of responses with the same status: all of their fields, none of them required.

    Generated clients read only the first kind of a union, or nothing. `dependentRequired` still lets a validator check
    which fields belong together.
    """
    properties: Schema = {}
    for schema in schemas:
        for name, field in schema["properties"].items():
            properties[name] = _either(properties[name], field) if name in properties else field
    together = {names[0]: names[1:] for schema in schemas if len(names := _own(schema, schemas)) > 1}
    return {"type": "object", "description": description, "properties": properties, "dependentRequired": together}


def _own(schema: Schema, schemas: tuple[Schema, ...]) -> list[str]:
    """The required fields of one kind; those that no other kind has come first."""
    others = {name for other in schemas if other is not schema for name in other["properties"]}
    return sorted(schema["required"], key=lambda name: name in others)


def _either(one: Schema, other: Schema) -> Schema:
    """A field that two kinds share, with the enum values of both."""
    if "enum" in one and "enum" in other:
        return one | {"enum": list(dict.fromkeys([*one["enum"], *other["enum"]]))}
    return one


def _without_titles(schema: Any) -> Any:
    """The schema without the titles that pydantic derives from Python names."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: _without_titles(v) for k, v in schema.items() if k != "title" or not isinstance(v, str)}
