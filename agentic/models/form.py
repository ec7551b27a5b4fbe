"""Whether an answer has the form that a client wants, as far as that can be told in a time that its length bounds.

The schema is a stranger's. Patterns may take for ever, combinations of schemas look at each part again and again, and
references may lead to other hosts: what they say is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from agentic.messages import Json

SEEN = frozenset(
    "$ref type required properties items enum const minItems maxItems minLength maxLength "
    "minimum maximum exclusiveMinimum exclusiveMaximum".split()
)
_LONGEST = 300


def fault_in(text: str, schema: Json) -> str:
    """What is wrong with an answer, told to the model; empty where nothing is, or that cannot be told. Blocks."""
    from referencing import Registry

    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"it is no JSON ({error})"
    try:
        fault = next(_validator()(schema, registry=Registry()).iter_errors(value), None)
    except Exception:  # noqa: BLE001 - every kind is raised for schemas that are none
        return ""
    return "" if fault is None else f"{fault.json_path}: {fault.message[:_LONGEST]}"


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator, validators

    known = Draft202012Validator.VALIDATORS

    def alone(validator: Any, reference: Any, instance: Any, schema: Any) -> Iterator[Any]:
        # Beside other keywords it would have each part looked at twice, the parts of that four times, and so on.
        if len(SEEN & schema.keys()) == 1:
            yield from known["$ref"](validator, reference, instance, schema)

    return validators.create(
        meta_schema={"$schema": "https://json-schema.org/draft/2020-12/schema"},
        validators={name: known[name] for name in SEEN} | {"$ref": alone},
        type_checker=Draft202012Validator.TYPE_CHECKER,
    )
