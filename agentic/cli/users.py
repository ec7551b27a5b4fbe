"""``agentic users``: add, list, disable and enable users, and give them new passwords."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from agentic.cli.with_kernel import with_kernel
from agentic.ports.space import Role

users = typer.Typer(help="The users of this server. Changes hold for a running server at once.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The user's name: a-z, 0-9, '.', '_' and '-'.", show_default=False)]


@users.command("add")
def add(name: Name, role: Annotated[Role, typer.Option(help="What the user may do.")] = "user") -> None:
    """Add a user. The password is asked for, or read from standard input's first line."""
    password = _read_password()
    user = with_kernel(lambda kernel: kernel.identity.users.add(name, password, role))
    typer.echo(f"Added {user.role} {user.name}.", err=True)


@users.command("list")
def show(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; times in seconds since 1970.")] = False,
) -> None:
    """List all users."""
    found = with_kernel(lambda kernel: kernel.identity.users.list())
    if as_json:
        fields = ("id", "name", "role", "disabled", "created_at")
        typer.echo(json.dumps([{field: asdict(user)[field] for field in fields} for user in found], indent=2))
        return
    if not found:
        typer.echo("No users yet. Add one: agentic users add NAME --role admin", err=True)
    width = max((len(user.name) for user in found), default=0)
    for user in found:
        created = datetime.fromtimestamp(user.created_at, UTC).date().isoformat()
        typer.echo(f"{user.name:{width}}  {user.role:5}  {'disabled' if user.disabled else 'enabled':8}  {created}")


@users.command("disable")
def disable(name: Name) -> None:
    """Shut a user out at once, tokens and API keys included."""
    with_kernel(lambda kernel: kernel.identity.users.set_disabled(name, True))
    typer.echo(f"Disabled {name}.", err=True)


@users.command("enable")
def enable(name: Name) -> None:
    """Let a disabled user in again: the password and the API keys hold, earlier tokens do not."""
    with_kernel(lambda kernel: kernel.identity.users.set_disabled(name, False))
    typer.echo(f"Enabled {name}.", err=True)


@users.command("passwd")
def passwd(name: Name) -> None:
    """Give a user a new password; earlier tokens end at once. It is read as in `users add`."""
    password = _read_password()
    with_kernel(lambda kernel: kernel.identity.users.set_password(name, password))
    typer.echo(f"New password set for {name}.", err=True)


def _read_password() -> str:
    """Twice and hidden on a terminal; else one line of standard input, without its line end."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password
