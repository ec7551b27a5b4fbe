"""``agentic users``: add, list, disable, export and delete users, and give them passwords, roles and limits."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentic.cli.output import AsJson, day, print_json
from agentic.cli.with_kernel import on_kernel, with_kernel
from agentic.errors import BadRequest
from agentic.ports.space import Role

if TYPE_CHECKING:
    from agentic.kernel import Kernel
    from agentic.messages import Json

users = typer.Typer(help="The users of this server. Changes hold for a running server at once.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The user's name: a-z, 0-9, '.', '_' and '-'.", show_default=False)]
Known = Annotated[str, typer.Argument(help="The user's name.", show_default=False)]


@users.command("add")
def add(name: Name, role: Annotated[Role, typer.Option(help="What the user may do.")] = "user") -> None:
    """Add a user. The password is asked for, or read from standard input's first line."""
    password = _read_password()
    user = with_kernel(lambda kernel: kernel.identity.users.add(name, password, role))
    typer.echo(f"Added {user.role} {user.name}.", err=True)


@users.command("list")
@on_kernel
async def show(kernel: Kernel, as_json: AsJson = False) -> None:
    """List all users."""
    found = await kernel.identity.users.list()
    if as_json:
        fields = ("id", "name", "role", "disabled", "created_at")
        print_json([{field: getattr(user, field) for field in fields} for user in found])
        return
    if not found:
        typer.echo("No users yet. Add one: agentic users add NAME --role admin", err=True)
    width = max((len(user.name) for user in found), default=0)
    for user in found:
        state = "disabled" if user.disabled else "enabled"
        typer.echo(f"{user.name:{width}}  {user.role:5}  {state:8}  {day(user.created_at)}")


@users.command("disable")
def disable(name: Name) -> None:
    """Shut a user out at once, tokens and API keys included; a running server ends their runs within seconds."""
    with_kernel(lambda kernel: kernel.departures.shut_out(name))
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


@users.command("role")
def role(name: Name, role: Annotated[Role, typer.Argument(help="What the user may do.", show_default=False)]) -> None:
    """Give a user another role; earlier tokens end at once."""
    with_kernel(lambda kernel: kernel.identity.users.set_role(name, role))
    typer.echo(f"{name} has the role {role} now.", err=True)


Most = Annotated[str | None, typer.Option(metavar="N", help="A number, `none` for no limit, or `default`.")]


@users.command("limits")
@on_kernel
async def limits(
    kernel: Kernel,
    name: Name,
    *,
    requests_per_minute: Most = None,
    runs_at_once: Most = None,
    tokens_per_day: Most = None,
    storage_bytes: Most = None,
) -> None:
    """Give a user limits of their own, and show those that hold; `default` takes the server's (LIMIT_…)."""
    given = {
        "requests_per_minute": requests_per_minute,
        "runs_at_once": runs_at_once,
        "tokens_per_day": tokens_per_day,
        "storage_bytes": storage_bytes,
    }
    identity = kernel.identity
    user = await identity.user(name)
    own = dict(user.limits)
    for limit, most in given.items():
        if most == "default":
            own.pop(limit, None)
        elif most is not None:
            own[limit] = _number(limit, most)
    if own != user.limits:
        user = await identity.users.set_limits(name, own)
    for limit, held in asdict(identity.meter.allowance(user.limits)).items():
        typer.echo(f"{limit}  {'none' if held is None else held}")


@users.command("link")
@on_kernel
async def link(
    kernel: Kernel,
    name: Name,
    issuer: Annotated[str, typer.Argument(help="The provider's address, as its tokens name it.", show_default=False)],
    subject: Annotated[str, typer.Argument(help="The person's id there.", show_default=False)],
) -> None:
    """Let a person who signs in elsewhere be this user."""
    await kernel.identity.outsiders.link(await kernel.identity.user(name), issuer, subject)
    typer.echo(f"Linked {name}.", err=True)


@users.command("delete")
def delete(
    name: Known, yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether this is meant.")] = False
) -> None:
    """Delete a user with all conversations, files, documents and keys, and say what was removed."""
    typed = ""
    if not yes and sys.stdin.isatty():
        typed = typer.prompt(f"Everything of {name}'s is removed. Type the name again", err=True)

    async def work(kernel: Kernel) -> Json:
        if not yes and typed != name:
            raise BadRequest("nothing was removed; say --yes, or type the user's name when asked")
        return await kernel.departures.delete(name)

    removed = with_kernel(work)
    counts = ", ".join(f"{count} {thing}" for thing, count in removed.items() if type(count) is int)
    typer.echo(f"Deleted {name}: {counts}.", err=True)


@users.command("export")
@on_kernel
async def export(
    kernel: Kernel,
    name: Known,
    to: Annotated[Path | None, typer.Option(help="The file to write; left out, NAME.zip in this folder.")] = None,
) -> None:
    """Write all that is a user's into a ZIP file: profile, conversations, runs, files and documents."""
    from agentic.runtime.export import export as write

    target = to or Path(f"{name}.zip")
    counts = await write(kernel.everything, kernel.identity, name, target)
    typer.echo(f"Wrote {target}: {', '.join(f'{count} {thing}' for thing, count in counts.items())}.", err=True)


def _number(limit: str, most: str) -> int | None:
    if most == "none":
        return None
    if not most.isdecimal():
        raise BadRequest(f"--{limit.replace('_', '-')} takes a whole number, none or default")
    return int(most)


def _read_password() -> str:
    """Twice and hidden on a terminal; else one line of standard input, without its line end."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password
