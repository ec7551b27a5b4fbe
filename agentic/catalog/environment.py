"""Reading settings from the environment and ``.env``, and telling what is wrong with them without showing a value."""

from __future__ import annotations

import json
import os
import types
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Secret, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from agentic.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)
_SECRET_TYPES = (SecretStr, SecretBytes, Secret)
_PLACEHOLDERS = {int: "10", float: "0.5", bool: "true"}


@dataclass(frozen=True, slots=True)
class SettingFault:
    """One wrong setting: its environment name, what is wrong with it, and an example (may be empty)."""

    name: str
    fault: str
    example: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.fault}." + (f" Example: {self.example}" if self.example else "")


class InvalidSettings(ConfigurationError):
    """Settings are wrong; ``faults`` holds each of them."""

    def __init__(self, faults: Sequence[SettingFault]) -> None:
        super().__init__(" ".join(str(fault) for fault in faults), param=faults[0].name)
        self.faults = tuple(faults)


def construct(model: type[Model], variables: Mapping[str, str], **overrides: Any) -> Model:
    """An instance of ``model``: from the overrides, then the variables, then its defaults.

    Its ``model_fields_set`` holds what did not come from the defaults. Raises InvalidSettings.
    """
    try:
        return model.model_validate({**_given(model, variables), **overrides})
    except ValidationError as error:
        faults = [_fault(model, details) for details in error.errors(include_url=False)]
    # Outside of the handler: the validation error holds the values, and must not travel along as the context.
    raise InvalidSettings(faults)


def read_variables() -> Mapping[str, str]:
    """Those of the environment, then those of ``.env``, by their names in lower case. An empty one counts as unset.

    Raises ConfigurationError for a bad ``.env``.
    """
    written: dict[str, str | None] = {}
    try:
        if Path(".env").is_file():
            from dotenv import dotenv_values

            written = dotenv_values(".env", encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"The file .env cannot be read: {reason}. Make it a readable UTF-8 file.") from None
    return {name.lower(): value for name, value in (*written.items(), *os.environ.items()) if value}


def _given(model: type[BaseModel], variables: Mapping[str, str]) -> dict[str, Any]:
    """What the variables say, under the names by which the model takes it."""
    given = {}
    for field, info in model.model_fields.items():
        name = environment_name(model, field).lower()
        if name in variables:
            key = info.validation_alias if isinstance(info.validation_alias, str) else field
            given[key] = _decoded(variables[name], info.annotation)
    return given


def _decoded(value: str, annotation: Any) -> Any:
    """Lists are JSON or comma separated, what else has parts is JSON.

    What cannot be decoded is left to validation, which names the setting.
    """
    kinds = [*_types(annotation)]
    is_sequence = any(_is_a(kind, Sequence, AbstractSet) for kind in kinds)
    if not is_sequence and not any(_is_a(kind, Mapping, BaseModel) or is_dataclass(kind) for kind in kinds):
        return value
    try:
        return json.loads(value)
    except ValueError:
        if is_sequence and not value.lstrip().startswith(("[", "{")):
            return [item.strip() for item in value.split(",") if item.strip()]
        return value


def _is_a(kind: Any, *bases: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, bases) and not issubclass(kind, (str, bytes))


def environment_name(model: type[BaseModel], field: str) -> str:
    """The environment variable that sets ``field`` of ``model``."""
    info = model.model_fields.get(field)
    alias = info.validation_alias if info is not None else None
    return (alias if isinstance(alias, str) else field).upper()


def is_secret(info: FieldInfo) -> bool:
    """Whether the field's type, or a type within it, says that its value must never be shown."""
    return any(isinstance(kind, type) and issubclass(kind, _SECRET_TYPES) for kind in _nested(info.annotation))


def secret_values(settings: BaseModel | None) -> Iterator[str]:
    """The plain text of every secret in ``settings``, for taking it out of messages."""
    if settings is not None:
        for name in type(settings).model_fields:
            yield from _secrets(getattr(settings, name))


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, _SECRET_TYPES):
        plain = value.get_secret_value()
        yield plain.decode(errors="replace") if isinstance(plain, bytes) else str(plain)
    elif isinstance(value, BaseModel):
        yield from secret_values(value)
    elif isinstance(value, (dict, list, tuple, set, frozenset)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _secrets(item)


def _nested(annotation: Any) -> Iterator[Any]:
    """The type and all types within it."""
    yield get_origin(annotation) or annotation
    for inner in get_args(annotation):
        yield from _nested(inner)


def _fault(model: type[BaseModel], details: Any) -> SettingFault:
    location = details["loc"]
    if not location:
        return SettingFault("settings", _message(details, secret=False))
    field = _field(model, str(location[0]))
    info = model.model_fields.get(field)
    name = environment_name(model, field)
    inner = ".".join(str(part) for part in location[1:])
    secret = info is None or is_secret(info)
    fault = _message(details, secret=secret)
    return SettingFault(name, f"{fault} (at {inner})" if inner and not secret else fault, _example(name, info))


def _field(model: type[BaseModel], located: str) -> str:
    """The field that a validation error speaks of: pydantic names the alias where there is one."""
    aliased = (name for name, info in model.model_fields.items() if info.validation_alias == located)
    return next(aliased, located)


def _message(details: Any, *, secret: bool) -> str:
    """What is wrong, without the value: validators of plugins like to quote it."""
    if details["type"] == "missing":
        return "it is required and not set"
    message = str(details["msg"]).rstrip(".")
    if details["type"] not in {"value_error", "assertion_error"}:
        return message[:1].lower() + message[1:]
    if secret:
        return "its validator refuses the value"
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    for given in sorted(_strings(details["input"]), key=len, reverse=True):
        message = message.replace(given, "…") if len(given) > 3 else message
    return message


def _strings(value: Any) -> Iterator[str]:
    """Every text in a value as the environment gave it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _example(name: str, info: FieldInfo | None) -> str:
    """``NAME=value``: the field's own example, else its default, else something of its type."""
    if info is None:
        return ""
    if info.examples:
        return f"{name}={written(info.examples[0])}"
    if is_secret(info):
        return f"{name}=…"
    if info.default_factory is None and not info.is_required() and info.default not in (None, "", [], {}, ()):
        return f"{name}={written(info.default)}"
    kinds = [kind for kind in _types(info.annotation) if kind in _PLACEHOLDERS]
    return f"{name}={_PLACEHOLDERS[kinds[0]]}" if kinds else ""


def written(value: Any) -> str:
    """``value`` as it stands in an environment variable."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _types(annotation: Any) -> Iterator[Any]:
    """The members of a union, or the one type, without what is annotated to them."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _types(member)
    elif origin is Annotated:
        yield from _types(get_args(annotation)[0])
    else:
        yield origin or annotation
