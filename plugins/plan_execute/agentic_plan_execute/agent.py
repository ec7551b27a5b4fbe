"""Plan and execute: all steps are planned at once, run as a graph, and the answer made of them is checked."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import aclosing
from typing import TYPE_CHECKING

from agentic import Agent, AgenticError, Bid, Run, Task, ToolCall
from agentic_plan_execute.bid import bid
from agentic_plan_execute.direct import answer_directly, needs_no_plan
from agentic_plan_execute.prompts import call_id
from agentic_plan_execute.state import State, first, is_worth_keeping, restored

if TYPE_CHECKING:
    from agentic_plan_execute.graph import Workflow


class PlanExecute(Agent):
    """Plans once for many steps, so that it asks the model less often than one step after another would."""

    name = "plan_execute"
    description = "Plans all steps, runs them side by side, answers, and checks the answer"
    rank = 5

    def __init__(self, max_rounds: int) -> None:
        self._max_rounds = max_rounds
        self._workflow: Workflow | None = None

    def bid(self, task: Task) -> Bid:
        """A little above the fittest tool where several independent things are asked for."""
        return bid(task)

    async def run(self, run: Run) -> None:
        """At most ``max_rounds`` rounds; then the best answer is given, with what could not be verified."""
        if run.restored is None and needs_no_plan(run):
            await answer_directly(run)
            return
        rounds = 1 if run.model.info.tool_mode == "fit" else self._max_rounds
        state = first(rounds) if run.restored is None else restored(run.restored, run.tools.specs)
        state = await self._walk(state, run)
        if state["handed_over"]:
            # Ends the run, so it happens outside of the graph, which then is not cut off in the middle.
            await run.tools.call(
                [ToolCall(call_id(run.id, step["id"]), step["tool"], step["input"]) for step in state["handed_over"]]
            )

    async def _walk(self, state: State, run: Run) -> State:
        if self._workflow is None:
            self._workflow = await asyncio.to_thread(_workflow)
        if state["final_output"] and not state["said"]:
            run.draft(state["final_output"])
        try:
            async with aclosing(self._workflow.walk(state, run)) as states:
                async for found in states:
                    is_news, state = found != state, found
                    if is_news and is_worth_keeping(state):
                        await run.checkpoint({**state})
        except AgenticError:
            if state["final_output"] and not state["said"]:
                # The model went away while a better answer was sought, and this one is there.
                run.say(state["final_output"])
            raise
        return state


def _workflow() -> Workflow:
    module = importlib.import_module("agentic_plan_execute.graph")
    workflow: Workflow = module.Workflow()
    return workflow
