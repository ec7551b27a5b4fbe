"""The tool as the kernel and the models see it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentic import Json, NotConfigured, StorageError, Tool, ToolContext, ToolResult, Traits
from agentic_python_exec.backends import impossible
from agentic_python_exec.examples import EXAMPLES
from agentic_python_exec.media_types import media_type
from agentic_python_exec.outcome import Outcome, Request
from agentic_python_exec.pool import Pool
from agentic_python_exec.report import not_given, not_kept, report
from agentic_python_exec.session import Session
from agentic_python_exec.settings import Settings

logger = logging.getLogger(__name__)
_MARGIN_S = 120
"""For the wait for a free sandbox, and for the first use, which makes the runtime."""


class Arguments(BaseModel):
    """What the model fills in."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(description="a whole Python program; print what is to be seen", min_length=1, max_length=200_000)


class PythonExec(Tool):
    """Runs programs in sandboxes, with the files of the conversation at hand."""

    name = "python_exec"
    description = (
        "Run a Python program in a sandbox; numpy, pandas and matplotlib are installed. Gives what it prints and the "
        "value of a last expression. Open matplotlib figures are saved and shown to the user. Files in the working "
        "folder (relative names) stay for later calls in this conversation; variables and imports do not, so write "
        "every program whole. No network, no other programs, no input()."
    )
    args = Arguments

    def __init__(self, settings: Settings, data_dir: Path) -> None:
        self.pool = Pool(settings, data_dir)
        self.traits = Traits(
            risk="execute", timeout_s=min(settings.python_exec_timeout + _MARGIN_S, 3600), examples=EXAMPLES
        )
        if settings.python_exec_backend == "unsafe":
            logger.warning(
                "[PythonExec] Unsafe: PYTHON_EXEC_BACKEND=unsafe, so programs of models run with the rights of this "
                "server, unconfined"
            )

    def suggest(self, text: str) -> Json | None:
        """The fenced program that a plain request wants to have run, else None."""
        from agentic_python_exec.requests import program_in

        code = program_in(text)
        return None if code is None else {"code": code}

    async def run(self, args: Any, ctx: ToolContext) -> ToolResult:
        """What the program printed and made, and why it ended. Raises ToolError where no sandbox can be had."""
        notes: list[str] = []
        session = Session(ctx.conversation.blobs, self.pool.limits)
        try:
            before, left_out = await session.load()
            notes += [not_given(left_out, self.pool.limits)] if left_out else []
        except StorageError as error:
            before = {}
            notes.append(f"The files of earlier calls could not be read: {error.message}")
        if not self.pool.is_ready:
            ctx.progress("Preparing the sandbox; the first time takes up to a minute")
        outcome = await self.pool.run(Request(args.code, list(before.items())), ctx.principal.id)
        notes += await self._keep(session, before, outcome, ctx)
        logger.info("[PythonExec] Run: %s after %.2f s", outcome.reason, outcome.seconds)
        return ToolResult(report(outcome, self.pool.limits, notes), error=outcome.reason != "done")

    async def check(self) -> str:
        """The back end in use. Raises ToolError if none holds."""
        return (await self.pool.choice()).report

    async def aclose(self) -> None:
        """End all sandboxes; without this they end with the server."""
        await self.pool.aclose()

    async def _keep(
        self, session: Session, before: dict[str, bytes], outcome: Outcome, ctx: ToolContext
    ) -> Sequence[str]:
        """Keep the files for the next call, and link them in the answer; what could not be done."""
        try:
            too_much = await session.keep(before, outcome)
            for name, content in (*outcome.changed, *outcome.figures):
                await ctx.save_file(name.rpartition("/")[2], media_type(name), content)
        except StorageError as error:
            return [f"Not all files could be kept: {error.message}"]
        return [not_kept(too_much, self.pool.limits)] if too_much else []


def made(settings: Settings, data_dir: Path) -> PythonExec | NotConfigured:
    """The tool, or why there is none on this machine."""
    reason = "" if settings.python_exec_backend == "unsafe" else impossible()
    if reason:
        return NotConfigured("python_exec", f"Use a Linux machine or container: {reason}")
    return PythonExec(settings, data_dir)
