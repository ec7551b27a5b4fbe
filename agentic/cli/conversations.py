"""``agentic conversations``: list, search, export, rename and delete a user's conversations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentic.cli.output import for_output, minute, print_json, write_new
from agentic.cli.steps import printable
from agentic.cli.with_kernel import on_kernel, principal_of, with_kernel

if TYPE_CHECKING:
    from agentic.kernel import Kernel
    from agentic.messages import Json

conversations = typer.Typer(help="Conversations: find, keep and delete them.", no_args_is_help=True)

Owner = Annotated[str | None, typer.Option("--user", help="Whose; otherwise the only admin's, or the local ones.")]
Session = Annotated[str, typer.Argument(metavar="ID", help="The conversation's id, as listed.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as the server answers it.")]


@conversations.command("list")
@on_kernel
async def show(
    kernel: Kernel,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 20,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Those that follow this one.")] = None,
    user: Owner = None,
    as_json: AsJson = False,
) -> None:
    """List conversations, the newest first."""
    owner = await principal_of(kernel, user)
    found = await kernel.engine.conversations(owner).page(after=after, limit=limit)
    if as_json:
        print_json({"conversations": found})
        return
    for head in found:
        typer.echo(_line(head))
    if not found:
        typer.echo("No conversations.", err=True)


@conversations.command("search")
def find(
    words: Annotated[list[str], typer.Argument(help="Words that one message, or the title, must hold.")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most conversations.")] = 20,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Search on from this one.")] = None,
    user: Owner = None,
    as_json: AsJson = False,
) -> None:
    """Find conversations by what was said in them."""
    from agentic.runtime.search import search

    async def work(kernel: Kernel) -> Json:
        owner = await principal_of(kernel, user)
        return await search(kernel.engine.conversations(owner), " ".join(words), after=after, limit=limit)

    if not " ".join(words).strip():
        raise typer.BadParameter("there is nothing to search for", param_hint="WORDS")
    found = with_kernel(work)
    if as_json:
        print_json(found)
        return
    for head in found["conversations"]:
        typer.echo(_line(head))
        for match in head["matches"]:
            typer.echo(f"    {match['role']}: {printable(match['text'])}")
    if found["next"]:
        typer.echo(f"There may be more: --after {found['next']}", err=True)
    elif not found["conversations"]:
        typer.echo("Nothing was found.", err=True)


@conversations.command("export")
@on_kernel
async def export(
    kernel: Kernel,
    session_id: Session,
    form: Annotated[Literal["json", "markdown"], typer.Option("--format", help="json or markdown.")] = "json",
    output: Annotated[Path | None, typer.Option(help="A new file; otherwise it goes to standard output.")] = None,
    user: Owner = None,
) -> None:
    """Write a conversation as JSON or Markdown."""
    from agentic.messages import dump
    from agentic.runtime.files import once
    from agentic.runtime.markdown import as_markdown

    found = kernel.engine.conversations(await principal_of(kernel, user))
    conversation, head = await found.read(session_id), await found.head(session_id)
    if form == "markdown":
        text = as_markdown(head.value["title"], conversation)
    else:
        text = dump(conversation, indent=True).decode() + "\n"
    if output is None:
        typer.echo(for_output(text).encode(), nl=False)
    else:
        await write_new(output, once(text.encode(errors="replace")))
        typer.echo(f"Written: {output}", err=True)


@conversations.command("rename")
def rename(
    session_id: Session,
    title: Annotated[str, typer.Argument(help="The new title.", show_default=False)],
    user: Owner = None,
) -> None:
    """Give a conversation another title."""

    async def work(kernel: Kernel) -> Json:
        return await kernel.engine.conversations(await principal_of(kernel, user)).rename(session_id, title)

    if not 1 <= len(title.strip()) <= 200:
        raise typer.BadParameter("a title has 1 to 200 characters", param_hint="TITLE")
    typer.echo(_line(with_kernel(work)))


@conversations.command("delete")
def delete(
    session_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The conversation's id.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete all conversations of the user.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before deleting all.")] = False,
    user: Owner = None,
) -> None:
    """Delete a conversation with its runs, or all of them, and print what was removed."""
    from agentic.runtime.clearing import delete_conversations

    if (session_id is None) is not everything:
        raise typer.BadParameter("name one conversation, or say --all")
    if everything and not yes:
        typer.confirm("Delete all conversations of this user?", abort=True, err=True)

    async def work(kernel: Kernel) -> Json:
        owner = await principal_of(kernel, user)
        if session_id is None:
            return await delete_conversations(kernel.engine, owner)
        return await kernel.engine.delete_conversation(session_id, owner)

    print_json(with_kernel(work))


def _line(head: Json) -> str:
    return f"{head['session_id']}  {minute(head['updated_at'])}  {printable(head['title'])}"
