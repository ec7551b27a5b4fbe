"""``agentic plugins``: what is installed, what it offers, and what to do about what does not work."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic.cli.output import print_json
from agentic.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from agentic.catalog.catalog import Capability, Plugin

plugins = typer.Typer(help="What is installed, and what is wrong with it.", no_args_is_help=True)
_COLOURS = {"active": "green", "quarantined": "red", "not_configured": "yellow", "disabled": "dim"}


@plugins.command("list")
def list_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array, for programs.")] = False,
) -> None:
    """List every installed plugin with its state and, where it does not work, cause and fix."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    installed = _installed()
    if as_json:
        print_json([_listed(plugin) for plugin in installed])
        return
    console = Console()
    if not installed:
        # The brackets are the command's, and no markup.
        console.print("No plugin is installed. Example: pip install 'agentic-server[default]'", markup=False)
        return
    table = Table("Plugin", "Version", "State", "Offers", box=None, pad_edge=False)
    for plugin in installed:
        colour = _COLOURS[plugin.state]
        offers = ", ".join(_short(capability) for capability in plugin.capabilities)
        table.add_row(escape(plugin.name), escape(plugin.version), f"[{colour}]{plugin.state}[/]", escape(offers))
    console.print(table)
    for line in dict.fromkeys(_advice(installed)):
        console.print(f"\n{escape(line)}", soft_wrap=True, highlight=False)


@plugins.command("show")
def show_plugin(name: Annotated[str, typer.Argument(help="The plugin's name, as listed.")]) -> None:
    """Show everything known of one plugin: what it offers, its settings, and what is wrong with it."""
    installed = _installed()
    chosen = [plugin for plugin in installed if plugin.name == name]
    if not chosen:
        names = [plugin.name for plugin in installed]
        near = difflib.get_close_matches(name, names, 3) or sorted(names)
        advice = f"Did you mean: {', '.join(near)}?" if near else "None is installed."
        typer.echo(f"No plugin named {name!r} is installed. {advice}", err=True)
        raise typer.Exit(1)
    for plugin in chosen:
        for line in _shown(plugin):
            typer.echo(line)


def _installed() -> list[Plugin]:
    """All plugins. What is wrong is shown by the command, so it is not logged as well."""
    from agentic.catalog.load import load
    from agentic.catalog.settings import read_settings

    log = logging.getLogger("agentic")
    quiet = logging.NullHandler()
    log.addHandler(quiet)
    try:
        return list(load(read_settings()).plugins)
    except ConfigurationError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(1) from None
    finally:
        log.removeHandler(quiet)


def _listed(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "state": plugin.state,
        "cause": plugin.cause,
        "fix": plugin.fix,
        "capabilities": [
            {"kind": one.kind, "name": one.name} | ({} if one.offered else {"fix": one.fix})
            for one in plugin.capabilities
        ],
    }


def _short(capability: Capability) -> str:
    words = f"{capability.kind.replace('_', ' ')} {capability.name}"
    return words if capability.offered else f"{words} (not configured)"


def _advice(installed: list[Plugin]) -> Iterator[str]:
    for plugin in installed:
        if plugin.state == "quarantined":
            yield str(plugin)
            continue
        for capability in plugin.capabilities:
            if not capability.offered:
                yield f"{plugin.name}: {capability.name} is not configured. {capability.fix}"


def _shown(plugin: Plugin) -> Iterator[str]:
    yield plugin.title
    yield f"state: {plugin.state}"
    if plugin.cause:
        yield f"cause: {plugin.cause}"
        yield f"fix: {plugin.fix}"
    if plugin.capabilities:
        yield "offers:"
    for capability in plugin.capabilities:
        text = getattr(capability.object, "description", "") if capability.offered else capability.fix
        first = next(iter(str(text or "").splitlines()), "")
        yield f"  {_short(capability)}" + (f": {first}" if first else "")
    if plugin.settings_type is not None:
        yield "settings:"
        yield from _settings(plugin.settings_type, plugin.settings)


def _settings(kind: type[BaseModel], bound: BaseModel | None) -> Iterator[str]:
    """One line a setting: its environment name, what it is for, its default, and whether it is set."""
    from agentic.catalog.environment import environment_name

    for field, info in kind.model_fields.items():
        state = "not read" if bound is None else "set" if field in bound.model_fields_set else "not set"
        meaning = f": {info.description}" if info.description else ""
        yield f"  {environment_name(kind, field)} ({_default(info)}, {state}){meaning}"


def _default(info: FieldInfo) -> str:
    from agentic.catalog.environment import is_secret, written

    if info.is_required():
        return "required"
    if info.default_factory is not None:
        return "default made at the start"
    if info.default is None:
        return "no default"
    return "default hidden" if is_secret(info) else f"default {written(info.default)}"
