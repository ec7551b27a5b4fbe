"""What the graph knows between its nodes: plain JSON values, so that a run can go on from any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, cast

from agentic import Json, ToolSpec


class Step(TypedDict):
    """A step of a plan: call ``tool`` with ``input`` once the steps that it ``needs`` are done."""

    id: str
    tool: str
    input: Json
    needs: list[str]


class Result(TypedDict):
    """What came of a step. ``input`` is as planned, with references; ``round`` counts from 1."""

    tool: str
    input: Json
    content: str
    error: bool
    round: int


class State(TypedDict):
    """The workflow's state. The conversation, its session and its user stay in the run.

    ``written``: the plan as the model wrote it. ``plan``: its steps that can be run. ``faults``: why it cannot be run
    as it is, while there is one more try. ``mended``: that try is spent. ``results``: by step id, of all rounds.
    ``handed_over``: steps for the client's tools, which end the run. ``missing``: what the last check did not find.
    ``said``: the final output has reached the user. ``settled``: nothing is left to be done.
    """

    written: str
    plan: list[Step]
    faults: list[str]
    mended: bool
    tools_used: list[str]
    results: dict[str, Result]
    handed_over: list[Step]
    current_agent: str
    final_output: str
    said: bool
    verification_passed: bool
    missing: str
    settled: bool
    iteration_count: int
    max_iterations: int


def first(max_rounds: int) -> State:
    """The state before the first node."""
    return State(
        written="",
        plan=[],
        faults=[],
        mended=False,
        tools_used=[],
        results={},
        handed_over=[],
        current_agent="",
        final_output="",
        said=False,
        verification_passed=False,
        missing="",
        settled=False,
        iteration_count=0,
        max_iterations=max_rounds,
    )


def failed(state: State) -> bool:
    """Whether a step of the current round came to nothing."""
    return any(one["error"] and one["round"] == state["iteration_count"] for one in state["results"].values())


def rounds_left(state: State) -> bool:
    """Whether there may be one more plan."""
    return state["iteration_count"] < state["max_iterations"]


def is_worth_keeping(state: State) -> bool:
    """Whether this is a state to go on from after a restart: one with a plan, results or a draft not yet settled.

    Where no tool is needed nothing is kept: the answer is asked for anew sooner than all this is written.
    """
    if state["settled"] or state["handed_over"]:
        return False
    if state["current_agent"] == "tool_selection":
        return bool(state["plan"])
    return state["current_agent"] in ("tool_execution", "reasoning")


def restored(kept: Mapping[str, Any], tools: Sequence[ToolSpec]) -> State:
    """The state that a run goes on from; a plan whose tools are not all there any more is checked once more."""
    state = cast(State, dict(kept))
    names = {tool.name for tool in tools}
    if state["current_agent"] == "tool_selection" and any(step["tool"] not in names for step in state["plan"]):
        state["current_agent"] = "planning"
    return state
