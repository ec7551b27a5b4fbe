"""The prompt of ``agentic chat`` on a terminal: line editing, several lines, earlier questions, completion."""

from __future__ import annotations

import os
import re
import sys
import termios
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.application.current import set_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output

from agentic.cli.terminal import changed

Choices = Callable[[], AsyncIterator[str]]
LEAVING = "Ctrl-D or /quit leaves."
_FENCE = re.compile(r"^\s*```", re.MULTILINE)


class Prompt:
    """Asks for lines on a terminal.

    ``label`` gives what stands before the line, ``asked`` are earlier questions, the latest last, ``completions`` the
    commands with what may follow each of them. ``source`` and ``target`` are the terminal, if it is not this process's.
    """

    def __init__(
        self,
        label: Callable[[], str],
        asked: Iterable[str],
        completions: Mapping[str, Choices | None],
        *,
        source: Input | None = None,
        target: Output | None = None,
    ) -> None:
        self._label = label
        self._session: PromptSession[str] = PromptSession(
            history=InMemoryHistory(list(asked)),
            key_bindings=_keys(),
            multiline=True,
            prompt_continuation=lambda width, _line, _wrapped: "… ".rjust(width),
            completer=_Completer(completions),
            complete_while_typing=False,
            enable_suspend=True,
            input=source,
            output=target,
        )

    async def next(self) -> str | None:
        """The next thing that was written; None when the person leaves."""
        try:
            # The conversation has a handler of its own for SIGINT, see `interrupt`.
            text = await self._session.prompt_async(f"{self._label()}> ", handle_sigint=False)
        except EOFError:
            return None
        # A byte that is no UTF-8 comes as half a character, which nothing could store.
        return text.encode(errors="replace").decode()

    def interrupt(self) -> None:
        """Do what ctrl-C does at the prompt."""
        if self._session.app.is_running:
            with set_app(self._session.app):
                self._session.app.key_processor.send_sigint()

    def end(self) -> None:
        """Leave the prompt, as ctrl-D does."""
        if self._session.app.is_running:
            self._session.app.exit(exception=EOFError)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While an answer is written: what is typed is kept for the next prompt and not mixed into it."""
        terminal = sys.stdin.fileno()

        def silence(settings: list[Any]) -> None:
            # NOFLSH: else ctrl-C throws away what is typed, and the end of what is written.
            settings[3] = settings[3] & ~termios.ECHO | termios.NOFLSH
            # Else the terminal swallows ctrl-D, and the next prompt never hears of it.
            settings[6][termios.VEOF] = bytes([os.fpathconf(terminal, "PC_VDISABLE")])

        with changed(terminal, silence, when=termios.TCSADRAIN):
            yield


class _Completer(Completer):
    """Completes a command's name, and then its argument."""

    def __init__(self, completions: Mapping[str, Choices | None]) -> None:
        self._completions = completions

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Nothing: all that is completed is found by the asynchronous way."""
        return ()

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """What may stand where the cursor is."""
        typed = document.text_before_cursor
        command, space, argument = typed.partition(" ")
        if not typed.startswith("/"):
            return
        if not space:
            for name in self._completions:
                if f"/{name}".startswith(command):
                    yield Completion(f"/{name}", start_position=-len(command))
        elif (choices := self._completions.get(command[1:])) is not None:
            async for choice in choices():
                if choice.startswith(argument):
                    yield Completion(choice, start_position=-len(argument))


def _keys() -> KeyBindings:
    keys = KeyBindings()
    writing = has_focus(DEFAULT_BUFFER)

    @keys.add("enter", filter=writing)
    @keys.add("c-j", filter=writing)
    def _accept(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        elif len(_FENCE.findall(buffer.text)) % 2:
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=writing)
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c", filter=writing)
    @keys.add("<sigint>")
    def _interrupt(event: KeyPressEvent) -> None:
        buffer = event.app.current_buffer
        if buffer.text:
            # Arrow-up gives it back.
            buffer.reset(append_to_history=True)
        else:
            run_in_terminal(lambda: print(LEAVING))

    return keys
