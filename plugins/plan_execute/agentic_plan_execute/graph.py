"""The workflow as a graph of LangGraph: planning, tool selection, tool execution, reasoning, verification, and again.

Imported at the first run only: LangGraph takes a second to import.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from langgraph.graph import END, START, StateGraph
from langsmith import tracing_context

from agentic import Run
from agentic_plan_execute.nodes import (
    Context,
    planning,
    reasoning,
    tool_execution,
    tool_selection,
    verification,
)
from agentic_plan_execute.state import State, failed, rounds_left

NODES_A_ROUND = 7
"""Five, and the first two again where the plan is mended."""


class Workflow:
    """The compiled graph: made once, shared by all runs."""

    def __init__(self) -> None:
        graph = StateGraph(State, context_schema=Context)
        for node in (planning, tool_selection, tool_execution, reasoning, verification):
            graph.add_node(node.__name__, node)
            graph.add_conditional_edges(node.__name__, onward)
        graph.add_conditional_edges(START, onward)
        self._graph = graph.compile()

    async def walk(self, state: State, run: Run) -> AsyncGenerator[State, None]:
        """Go on from ``state`` to the end; gives the state after each node.

        No trace of it leaves the machine, whatever the environment asks of LangSmith for other programs.
        """
        limit = NODES_A_ROUND * state["max_iterations"] + 5
        with tracing_context(enabled=False):
            walking = self._graph.astream(
                cast(Any, state), {"recursion_limit": limit}, context=Context(run), stream_mode="values"
            )
            async with aclosing(cast(AsyncGenerator[State, None], walking)) as states:
                async for found in states:
                    yield found


async def onward(state: State) -> str:
    """The node that follows; also the one to begin with, wherever the state was left.

    Async, since LangGraph gives what is not to a thread.
    """
    node = state["current_agent"]
    if state["settled"] or state["handed_over"]:
        return END
    if node == "planning":
        return "tool_selection"
    if node == "tool_selection" and state["plan"]:
        return "tool_execution"
    if node in ("tool_selection", "tool_execution"):
        again = state["faults"] or (failed(state) and rounds_left(state))
        return "planning" if again else "reasoning"
    return "verification" if node == "reasoning" else "planning"
