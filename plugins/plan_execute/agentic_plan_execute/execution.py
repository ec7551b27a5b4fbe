"""A plan's steps run as a graph: each begins as soon as what it needs is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence, Set
from typing import Any

from agentic_plan_execute.state import Step

Runner = Callable[[Step], Coroutine[Any, Any, bool]]
"""Runs a step; False: it failed, and what needs it cannot be run."""


async def execute(
    steps: Sequence[Step], run: Runner, skip: Callable[[Step, str], None], *, alone: Set[str] = frozenset()
) -> None:
    """Run all steps, side by side where they do not need each other; needs outside of ``steps`` are met.

    ``skip`` is told of a step that cannot be run, and which of its needs failed. ``alone`` names the tools whose calls
    run beside no other. Cancelled, or when a step raises, no step is left running.
    """
    waiting = {step["id"]: step for step in steps}
    running: dict[asyncio.Task[bool], Step] = {}
    failed: set[str] = set()
    try:
        while waiting or running:
            _leave_out(waiting, failed, skip)
            for step in _ready(waiting, running.values(), alone):
                running[asyncio.create_task(run(step))] = waiting.pop(step["id"])
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                step = running.pop(task)
                if not task.result():
                    failed.add(step["id"])
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _leave_out(waiting: dict[str, Step], failed: set[str], skip: Callable[[Step, str], None]) -> None:
    """Drop the steps that need a failed one, and those that need these."""
    while lost := [(step, need) for step in waiting.values() for need in step["needs"] if need in failed]:
        for step, need in lost:
            if waiting.pop(step["id"], None) is not None:
                failed.add(step["id"])
                skip(step, need)


def _ready(waiting: dict[str, Step], running: Iterable[Step], alone: Set[str]) -> list[Step]:
    """The steps that can begin now; one that runs alone begins when nothing else can or does."""
    busy = {step["id"]: step for step in running}
    if any(step["tool"] in alone for step in busy.values()):
        return []
    free = [step for step in waiting.values() if not any(need in waiting or need in busy for need in step["needs"])]
    together = [step for step in free if step["tool"] not in alone]
    return together or ([] if busy else free[:1])
