"""The commands of ``agentic chat``: lines that begin with a slash."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentic.cli.choice import AUTO, OURS
from agentic.cli.output import minute, write_new
from agentic.cli.steps import step
from agentic.errors import BadRequest, NotFound
from agentic.events import ThinkingDelta, entry_from_json
from agentic.messages import message_from_json

if TYPE_CHECKING:
    from agentic.cli.chat_talk import Talk

LISTED = 10
"""How many conversations are listed."""

_LINE = re.compile(r"/([a-z]+)(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    """A command: how its argument is written, what it does in a few words, and its function."""

    argument: str
    help: str
    run: Callable[[Talk, str], Awaitable[None]]


def is_command(line: str) -> bool:
    """Whether a line is a command and no question: ``/usr/bin`` is none."""
    return _LINE.fullmatch(line.strip()) is not None


async def obey(talk: Talk, line: str) -> bool:
    """Carry out a line that is a command, and return True. Raises AgenticError with what is wrong."""
    found = _LINE.fullmatch(line.strip())
    name, argument = (found[1], (found[2] or "").strip()) if found else ("", "")
    command = COMMANDS.get(name)
    if command is None:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        raise BadRequest(f"There is no command /{name}. " + (f"Did you mean /{near[0]}?" if near else "Try /help."))
    if argument and not command.argument:
        raise BadRequest(f"/{name} takes no argument.")
    await command.run(talk, argument)
    return True


async def _help(talk: Talk, _: str) -> None:
    talk.screen.rows([(f"/{name} {command.argument}", command.help) for name, command in COMMANDS.items()])
    talk.screen.tell("Alt-Enter, or \\ at a line's end, begins a new line; so does Enter within a ``` block.", "dim")
    talk.screen.tell("Ctrl-C stops an answer, or clears what is typed. Ctrl-D leaves.", "dim")


async def _model(talk: Talk, wanted: str) -> None:
    if wanted:
        await talk.choose(talk.choice.with_model(None if wanted == AUTO else wanted))
        _tell_choice(talk)
        return
    listed = await talk.kernel.directory.listing()
    rows = [(OURS, "the default model, with agents that bid and call tools")]
    rows += [(one.id, one.provider.name + (", default" if one.info.default else "")) for one in listed]
    talk.screen.rows(rows, talk.choice.model or talk.model)
    if not listed:
        # Says why there are none, and what to do.
        await talk.kernel.directory.default()


async def _agent(talk: Talk, wanted: str) -> None:
    agents = talk.kernel.catalog.agents()
    if not wanted:
        rows = [(AUTO, "the agents bid, and the fittest answers")]
        rows += [(name, _first_line(agent.description)) for name, agent in agents.items()]
        talk.screen.rows(rows, AUTO if talk.choice.agent == "" else talk.choice.agent or _agent_of(talk.model))
        return
    if wanted != AUTO and wanted not in agents:
        raise NotFound(f"There is no agent '{wanted}'. Installed: {', '.join(agents) or 'none'}.")
    await talk.choose(talk.choice.with_agent("" if wanted == AUTO else wanted))
    _tell_choice(talk)


async def _tools(talk: Talk, _: str) -> None:
    rows = [
        (one.name, f"{_first_line(one.object.description)} ({one.object.traits.risk}; plugin {one.plugin})")
        for one in talk.kernel.catalog.all("tool")
    ]
    for plugin in talk.kernel.catalog.plugins:
        missing = [one for one in plugin.capabilities if one.kind == "tool" and not one.offered]
        rows += [(one.name, f"not configured: {one.fix}") for one in missing]
    talk.screen.rows(rows or [("", "No tool is installed. See: agentic plugins list")])


async def _steps(talk: Talk, _: str) -> None:
    if not talk.run_id:
        raise NotFound("Nothing has been answered yet.")
    entries = [entry_from_json(one) for one in await talk.kernel.engine.get_trace(talk.run_id, talk.principal)]
    for entry in entries:
        event = entry.event
        line = event.text.strip() if isinstance(event, ThinkingDelta) else step(event)
        if line:
            talk.screen.tell(line, "dim")


async def _new(talk: Talk, _: str) -> None:
    talk.session_id, talk.run_id = None, ""
    talk.screen.tell("A new conversation.", "dim")


async def _sessions(talk: Talk, wanted: str) -> None:
    heads = await talk.conversations.page(after=None, limit=LISTED)
    if not wanted:
        for number, head in enumerate(heads, 1):
            mark = "*" if head["session_id"] == talk.session_id else " "
            talk.screen.tell(f"{mark} {number:2}  {head['session_id']}  {minute(head['updated_at'])}  {head['title']}")
        talk.screen.tell("/sessions NUMBER or ID goes on with one." if heads else "None yet.", "dim")
        return
    number = int(wanted) if wanted.isdecimal() and len(wanted) <= 2 else 0
    session_id = heads[number - 1]["session_id"] if 0 < number <= len(heads) else wanted
    tell_last(talk, await talk.go_on(session_id))


async def _save(talk: Talk, name: str) -> None:
    if not name:
        raise BadRequest("Which file? Write: /save NAME")
    if Path(name).name != name:
        raise BadRequest("Name the file as it was told, without a folder.")
    if not talk.run_id:
        raise NotFound("Nothing has been answered yet.")
    target = await asyncio.to_thread(Path(name).absolute)
    await write_new(target, talk.kernel.engine.open_file(talk.run_id, name, talk.principal))
    talk.screen.tell(f"Saved: {target}", "dim")


async def _quit(talk: Talk, _: str) -> None:
    talk.is_over = True


def tell_last(talk: Talk, messages: list[dict[str, str]]) -> None:
    """Tell where a conversation stands: its last question and answer."""
    said = [message_from_json(one) for one in messages]
    talk.screen.tell(f"Going on with {talk.session_id}, {len(said)} messages.", "dim")
    last = max((n for n, message in enumerate(said) if message.role == "user"), default=0)
    for message in said[last:]:
        if message.text:
            talk.screen.tell(f"{'> ' if message.role == 'user' else ''}{message.text}", "dim")


COMMANDS: dict[str, Command] = {
    "help": Command("", "what can be written here", _help),
    "model": Command("[ID]", f"list the models, or ask one; {AUTO} is the default one", _model),
    "agent": Command("[NAME]", f"list the agents, or ask one; {AUTO} lets them bid", _agent),
    "tools": Command("", "what the agents can use", _tools),
    "steps": Command("", "the steps behind the last answer", _steps),
    "save": Command("NAME", "keep a file of the last answer in this folder", _save),
    "new": Command("", "begin another conversation", _new),
    "sessions": Command("[ID]", "list the latest conversations, or go on with one", _sessions),
    "quit": Command("", "leave", _quit),
}


def _tell_choice(talk: Talk) -> None:
    is_plain = talk.model.split("/", 1)[0] != OURS
    hint = f": plain chat, without tools. /agent {AUTO} lets the agents use it" if is_plain else ""
    talk.screen.tell(f"Now asking {talk.model}{hint}.", "dim")


def _agent_of(model: str) -> str:
    """The agent that a ``model`` value names; AUTO where the agents bid; empty for a bare model."""
    family, _, rest = model.partition("/")
    return (rest.partition("@")[0] or AUTO) if family == OURS else ""


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")
