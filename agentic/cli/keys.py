"""``agentic keys``: make, list and revoke the API keys of users."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from agentic.cli.output import AsJson, day, print_json
from agentic.cli.with_kernel import on_kernel

if TYPE_CHECKING:
    from agentic.kernel import Kernel

keys = typer.Typer(help="API keys: for programs, in the place of a login.", no_args_is_help=True)

Owner = Annotated[str, typer.Argument(metavar="USER", help="The name of the key's user.", show_default=False)]


@keys.command("create")
@on_kernel
async def create(
    kernel: Kernel,
    user: Owner,
    name: Annotated[str, typer.Option(help="What the key is for, to tell it from others.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What the key is good for: chat, files, read, admin; may be given again. Else: everything."),
    ] = None,
    days: Annotated[float | None, typer.Option(help="Days until the key expires; left out, never.")] = None,
) -> None:
    """Make a key and print it, alone, on standard output. It is shown this once."""
    from agentic.identity.scopes import checked

    owner = await kernel.identity.user(user)
    scopes = checked(scope or (), owner.role)
    key = await kernel.identity.keys.create(owner.id, name, scopes=scopes, expires_in_days=days)
    typer.echo(f"Keep this key of {user} now, it cannot be shown again:", err=True)
    typer.echo(key)


@keys.command("list")
@on_kernel
async def show(
    kernel: Kernel,
    user: Annotated[str | None, typer.Argument(metavar="[USER]", help="Only this user's keys.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the keys of a user, or of all."""
    owners = [await kernel.identity.user(user)] if user else await kernel.identity.users.list()
    found = [(owner, key) for owner in owners for key in await kernel.identity.keys.list(owner.id)]
    if as_json:
        print_json([{"user": owner.name, **asdict(key)} for owner, key in found])
        return
    if not found:
        typer.echo("No keys yet. Make one: agentic keys create USER --name LABEL", err=True)
    width = max((len(owner.name) for owner, _ in found), default=0)
    for owner, key in found:
        scopes = ",".join(key.scopes) or "all"
        expires = f"until {day(key.expires_at)}" if key.expires_at else "no end"
        used = f"used {day(key.last_used_at)}" if key.last_used_at else "never used"
        typer.echo(
            f"{owner.name:{width}}  {key.id}  {day(key.created_at)}  {expires:16}  {used:15}  {scopes}  {key.label}"
        )


@keys.command("revoke")
@on_kernel
async def revoke(
    kernel: Kernel,
    user: Owner,
    key: Annotated[str, typer.Argument(help="The key's id, as listed, or its beginning.")],
) -> None:
    """End a key at once."""
    owner = await kernel.identity.user(user)
    revoked = await kernel.identity.keys.revoke(owner.id, key)
    typer.echo(f"Revoked {revoked.id} ({revoked.label}).", err=True)
