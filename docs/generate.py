"""Writes the tables of README.md, and docs/reference.md, from the code: ``uv run python docs/generate.py``.

A table stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; a test holds both files to what this gives.
"""

from __future__ import annotations

import inspect
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import agentic
from agentic import hookspecs, services, workers
from agentic.catalog.environment import environment_name
from agentic.catalog.load import load
from agentic.catalog.settings import Settings, read_settings

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
REFERENCE = ROOT / "docs/reference.md"
_SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_OPEN_PATHS = {
    "/health": "anyone",
    "/ready": "anyone; causes for admins",
    "/api/auth/login": "anyone",
    "/api/auth/logins": "anyone",
    "/api/auth/login/{provider}": "anyone",
    "/api/auth/login/{provider}/callback": "anyone",
}


def readme(text: str) -> str:
    """The README with every generated part as it must be. Raises KeyError for a part that nothing generates."""
    return _SECTION.sub(lambda found: found[1] + PARTS[found[2]]() + found[3], text)


def settings() -> str:
    """The kernel's settings, then those of each plugin of this repository."""
    rows = list(_settings_rows(Settings, "kernel"))
    own = {path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")}
    for plugin in load(read_settings()).plugins:
        if plugin.name in own and plugin.settings_type is not None:
            rows += _settings_rows(plugin.settings_type, plugin.name)
    return _table(("setting", "default", "meaning", "of"), rows)


def commands() -> str:
    """Every command with its arguments and options."""
    from agentic.cli.main import app

    return _table(("command", "what it does"), _command_rows(typer.main.get_command(app), "agentic"))


def endpoints() -> str:
    """Every path of the HTTP server."""
    from starlette.datastructures import State

    from agentic.server.api import create_api
    from agentic.server.app import ROUTES

    rows = []
    for path, operations in create_api(State(), ROUTES).openapi()["paths"].items():
        for method, operation in operations.items():
            who = _OPEN_PATHS.get(path, "admins" if path.startswith("/api/admin/") else "users")
            rows.append((f"`{method.upper()} {path}`", _first_sentence(operation.get("description", "")), who))
    return _table(("path", "what it does", "for whom"), rows)


def hooks() -> str:
    """Every hook with the first sentence of its docstring."""
    rows = [(f"`{name}{_arguments(hook)}`", _first_sentence(inspect.getdoc(hook))) for name, hook in _hooks()]
    return _table(("hook", "what it returns"), rows)


def reference() -> str:
    """The page of hooks and names for plugin authors."""
    parts = ["# Reference for plugin authors", "", "Made by `docs/generate.py` from the code; do not edit.", ""]
    parts += ["## Hooks", "", _as_markdown(inspect.getdoc(hookspecs) or ""), ""]
    for name, hook in _hooks():
        parts += [f"### {name}", "", "```python", f"def {name}{_signature(hook)}", "```", ""]
        parts += [_as_markdown(inspect.getdoc(hook) or ""), ""]
    parts += ["## Names", "", "What `from agentic import …` gives.", ""]
    for name in agentic.__all__:
        parts += _name(name, getattr(agentic, name))
    for module in (services, workers):
        parts += [f"## {module.__name__}", "", _as_markdown(inspect.getdoc(module) or ""), ""]
        for name in module.__all__:
            parts += _name(name, getattr(module, name))
    return "\n".join(parts).rstrip("\n") + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "endpoints": endpoints,
    "hooks": hooks,
}


def _settings_rows(kind: type[BaseModel], owner: str) -> Iterator[tuple[str, ...]]:
    for field, info in kind.model_fields.items():
        yield f"`{environment_name(kind, field)}`", _default(info), info.description or "", owner


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    default = info.get_default(call_default_factory=True)
    if default is None or default == []:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _command_rows(command: Any, path: str) -> Iterator[tuple[str, str]]:
    children = getattr(command, "commands", None)
    if children:
        for name, child in children.items():
            yield from _command_rows(child, f"{path} {name}")
        return
    words = [path]
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = (parameter.metavar or parameter.name).upper().strip("[]")
            words.append(name if parameter.required else f"[{name}]")
        elif parameter.name != "help":
            value = "" if parameter.is_flag else " " + (parameter.metavar or parameter.opts[0].strip("-").upper())
            option = parameter.opts[0] + value
            words.append(option if parameter.required else f"[{option}]")
    yield f"`{' '.join(words)}`", _first_sentence(command.help)


def _hooks() -> list[tuple[str, Any]]:
    return [(name, hook) for name, hook in vars(hookspecs).items() if hasattr(hook, "agentic_spec")]


def _arguments(hook: Any) -> str:
    return f"({', '.join(inspect.signature(hook).parameters)})"


class _AsWritten(str):
    """An annotation that is shown as it stands in the source."""

    __slots__ = ()
    __repr__ = str.__str__


def _signature(function: Any) -> str:
    found = inspect.signature(function)
    given = [one for name, one in found.parameters.items() if name != "self"]
    written = [one.replace(annotation=_written(one.annotation)) for one in given]
    return str(found.replace(parameters=written, return_annotation=_written(found.return_annotation)))


def _written(annotation: Any) -> Any:
    return _AsWritten(annotation) if isinstance(annotation, str) else annotation


OTHERS = {
    "GENERAL": f"`{agentic.GENERAL}`: the highest bid of an agent that is for no request in particular.",
    "Json": "A JSON object: `dict[str, Any]`.",
    "hookimpl": "Marks a function of a plugin as a hook.",
}
"""What is neither a class nor a function, and so has no docstring of its own."""


def _name(name: str, value: Any) -> list[str]:
    if inspect.isclass(value) or inspect.isfunction(value):
        text = _as_markdown(inspect.getdoc(value) or "")
    else:
        text = OTHERS[name]
    members = [f"- `{member}`: {line}" for member, line in _members(value)] if inspect.isclass(value) else []
    return [f"### {name}", "", *_code(name, value), text, "", *members, *([""] if members else [])]


def _code(name: str, value: Any) -> list[str]:
    fields = getattr(value, "__dataclass_fields__", None)
    if inspect.isfunction(value):
        call = name + _signature(value)
    elif fields:
        call = f"{name}({', '.join(fields)})"
    elif inspect.isclass(value) and "__init__" in vars(value) and not getattr(value, "_is_protocol", False):
        call = name + _signature(value).removesuffix(" -> None")
    else:
        return []
    return ["```python", call, "```", ""]


def _members(value: type) -> Iterator[tuple[str, str]]:
    """The methods of a class, and the attributes of a port, each with the first sentence of its docstring."""
    if getattr(value, "_is_protocol", False):
        for name, kind in inspect.get_annotations(value).items():
            yield name, f"`{kind}`"
    for name, member in vars(value).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            words = "async " if inspect.iscoroutinefunction(member) else ""
            yield f"{words}{name}{_signature(member)}", _first_sentence(_as_markdown(inspect.getdoc(member) or ""))


def _first_sentence(text: str | None) -> str:
    paragraph = " ".join((text or "").strip().partition("\n\n")[0].split())
    found = re.match(r"(.+?[.:])(?=\s+[A-Z]|$)", paragraph)
    return (found[1] if found else paragraph).rstrip(".:").replace("``", "`")


def _as_markdown(docstring: str) -> str:
    """A docstring as Markdown: ``code`` with single backticks, and what follows ``::`` fenced."""
    text, sign, example = docstring.partition("::\n")
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")
    if not sign:
        return text
    example = example.strip("\n")
    after = ""
    if example.startswith(" "):
        # Indented, the example ends where the indentation does; else it goes on to the end.
        ends = re.search(r"^(?=\S)", example, re.MULTILINE)
        example, after = (example[: ends.start()], example[ends.start() :]) if ends else (example, "")
    example = textwrap.dedent(example).strip("\n")
    language = "toml" if example.startswith("[") else "python"
    return f"{text}:\n\n```{language}\n{example}\n```" + (f"\n\n{_as_markdown(after)}" if after else "")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def row(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

    head = list(head)
    return row(head) + "|" + "---|" * len(head) + "\n" + "".join(map(row, rows))


def write() -> None:
    """Bring both files up to date."""
    # The tables tell what is so wherever the code runs, so nothing of this machine's environment goes into them.
    os.chdir(ROOT / "docs")
    README.write_text(readme(README.read_text("utf-8")), "utf-8")
    REFERENCE.write_text(reference(), "utf-8")


if __name__ == "__main__":
    write()
