"""``agentic doctor``: what works, what does not, and the fix."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from agentic.cli.steps import printable
from agentic.cli.with_kernel import LOCAL, with_kernel

if TYPE_CHECKING:
    from agentic.kernel import Kernel

logger = logging.getLogger(__name__)


def doctor(
    orphans: Annotated[
        bool,
        typer.Option(
            "--orphans", help="Look instead for what is kept of documents, conversations or users that are no more."
        ),
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what --orphans finds.")] = False,
) -> None:
    """Check settings, storage, plugins, tools, users and models; exit code 1 if something needs mending."""
    if remove and not orphans:
        raise typer.BadParameter("--remove goes with --orphans")
    from rich.console import Console
    from rich.markup import escape

    findings = with_kernel(partial(_orphans, remove=remove) if orphans else _examine)
    console = Console()
    for works, text in findings:
        console.print(
            f"[{'green' if works else 'red'}]{'ok ' if works else 'bad'}[/] {escape(printable(text))}", soft_wrap=True
        )
    if not all(works for works, _ in findings):
        raise typer.Exit(1)


async def _examine(kernel: Kernel) -> list[tuple[bool, str]]:
    """What was found, each with whether it works."""
    from agentic.assembly import unknown_approvals

    settings = kernel.settings
    findings = [(True, f"settings: data in {settings.data_dir.absolute()}")]
    cause = await kernel.storage.health()
    findings.append((cause is None, f"storage {kernel.storage.name}: {cause or 'reads and writes'}"))
    for plugin in kernel.catalog.plugins:
        if plugin.state == "quarantined":
            findings.append((False, str(plugin)))
        elif plugin.state == "not_configured":
            findings.append((True, f"plugin {plugin.title}: not configured. {plugin.fix}"))
    findings += await asyncio.to_thread(_requirements, kernel)
    findings += [
        (False, f"APPROVE: '{name}' is neither a risk nor an installed tool, so nothing is asked for it")
        for name in unknown_approvals(settings, kernel.catalog)
    ]
    findings += await _tools(kernel)
    findings += await _models(kernel)
    # Where storage does not answer there is no telling of users, and its own line says so.
    if cause is None:
        findings += await _users(kernel)
    return findings


def _requirements(kernel: Kernel) -> list[tuple[bool, str]]:
    """What is missing of what the kernel and the plugins in use require."""
    from agentic.catalog.requirements import complaints

    used = [plugin.distribution for plugin in kernel.catalog.plugins if plugin.state != "disabled"]
    return [(False, complaint) for complaint in complaints(["agentic-server", *used])]


async def _users(kernel: Kernel) -> list[tuple[bool, str]]:
    """That there are users, and what is damaged of what they own."""
    from agentic.documents.damage import damaged
    from agentic.documents.record import PREFIX
    from agentic.ports.space import Principal
    from agentic.runtime.spaces import of_user

    users = {user.id: user.name for user in await kernel.identity.users.list()}
    findings = [] if users else [(False, "users: there are none. Run: agentic users add NAME --role admin")]
    for user_id, name in (users | {LOCAL: ""}).items():
        async for key, fault in damaged(of_user(kernel.documents.everything, Principal(user_id, name)).storage):
            document_id = key.removeprefix(PREFIX)
            whose = f" --user {name}" if name else ""
            delete = f" Or delete it: agentic documents delete {document_id}{whose}" if document_id != key else ""
            findings.append((False, f"{fault}{delete}"))
    return findings


async def _orphans(kernel: Kernel, *, remove: bool) -> list[tuple[bool, str]]:
    """What is left over, removed where ``remove`` is set."""
    from agentic.documents import orphans

    library = kernel.documents
    users = {LOCAL, *(user.id for user in await kernel.identity.users.list())}
    left = [one async for one in orphans.Orphans(library.everything, library.jobs, users).find()]
    for one in left if remove else ():
        await one.remove()
    if not left:
        return [(True, "left over: nothing")]
    return [(remove, f"left over{', removed' if remove else ''}: {one.kind} {one.place}") for one in left]


async def _tools(kernel: Kernel) -> list[tuple[bool, str]]:
    """What tools have to say of how they work here."""
    from agentic.errors import ToolError

    findings = []
    for name, tool in kernel.catalog.tools().items():
        try:
            said = await tool.check()
        except ToolError as error:
            findings.append((False, f"tool {name}: {error.message}"))
        except Exception as error:
            logger.exception("[Doctor] Check failed: %s", name)
            findings.append((False, f"tool {name}: its check failed with {type(error).__name__}; the log says more"))
        else:
            findings += [(True, f"tool {name}: {said}")] if said else []
    return findings


async def _models(kernel: Kernel) -> list[tuple[bool, str]]:
    from agentic.errors import AgenticError

    states = await kernel.directory.states()
    findings = [(cause is None, f"models of {name}: {cause or 'reached'}") for name, cause in states.items()]
    try:
        chosen = await kernel.directory.default()
    except AgenticError as error:
        return [*findings, (False, f"default model: {error.message}")]
    findings.append((True, f"default model: {chosen.id} of {chosen.provider.name}"))
    if chosen.info.notice:
        findings.append((True, f"note: {chosen.info.notice}"))
    return findings
