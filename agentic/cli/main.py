"""``agentic``: the command line."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from agentic.cli.ask import ask
from agentic.cli.chat import chat
from agentic.cli.conversations import conversations
from agentic.cli.doctor import doctor
from agentic.cli.documents import documents
from agentic.cli.keys import keys
from agentic.cli.output import written_out
from agentic.cli.plugins import plugins
from agentic.cli.serve import serve
from agentic.cli.storage import storage
from agentic.cli.users import users

app = typer.Typer(
    help="A self-hosted agent backend that speaks the OpenAI API and grows by pip install.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command that was typed."""
    with written_out():
        app(prog_name="agentic")


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"agentic {version('agentic-server')}")
        raise typer.Exit


@app.callback()
def prepare(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Let what is printed hold any sign: the terminal, or the file it goes to, may know few of them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


app.command()(serve)
app.command()(ask)
app.command()(chat)
app.command()(doctor)
app.add_typer(documents, name="documents")
app.add_typer(plugins, name="plugins")
app.add_typer(conversations, name="conversations")
app.add_typer(users, name="users")
app.add_typer(keys, name="keys")
app.add_typer(storage, name="storage")
