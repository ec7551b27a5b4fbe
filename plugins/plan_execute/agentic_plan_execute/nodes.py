"""The workflow's nodes. Each takes the state and gives what changes in it; the run enters through the context."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langgraph.runtime import Runtime

from agentic import Json, ModelError, Run
from agentic_plan_execute.asking import write
from agentic_plan_execute.plan import Checked, Unreadable, check, read_object, read_steps
from agentic_plan_execute.prompts import answer_prompt, check_prompt, plan_prompt
from agentic_plan_execute.rule import by_rule
from agentic_plan_execute.schemas import VERDICT, plan_schema
from agentic_plan_execute.state import Result, State, rounds_left
from agentic_plan_execute.steps import run_steps

logger = logging.getLogger(__name__)

LONGEST_MISSING = 500
"""Characters of a check's reason that go into the next plan."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the nodes work with, and no checkpoint holds."""

    run: Run


async def planning(state: State, runtime: Runtime[Context]) -> Json:
    """Write a plan: the model's, or where the model cannot plan one by rule. Mending one belongs to its round."""
    run = runtime.context.run
    mending = bool(state["faults"])
    number = state["iteration_count"] + (not mending)
    run.progress(f"plan-{number}", "Planning" if number == 1 and not mending else "Planning anew", "running")
    if run.model.info.tool_mode == "fit":
        written = json.dumps({"steps": by_rule(run)})
    else:
        written = await write(run, plan_prompt(run, state), plan_schema(run.tools.specs))
    return {"current_agent": "planning", "written": written, "iteration_count": number, "mended": mending}


async def tool_selection(state: State, runtime: Runtime[Context]) -> Json:
    """Check the plan against the tools at hand.

    A plan with a fault is written again once. After that the steps without fault run, the others are reported as
    failed; one that cannot be read at all gives way to a plan by rule.
    """
    run = runtime.context.run
    tools = {spec.name: spec for spec in run.tools.specs}
    number = state["iteration_count"]
    try:
        checked = check(read_steps(state["written"]), tools, state["results"])
        faults = [f"{name}: {fault}" for name, fault in checked.faults.items()]
    except Unreadable as error:
        logger.info("[PlanExecute] Plan: unreadable: %s", run.id)
        checked, faults = check(by_rule(run) if number == 1 else [], tools, state["results"]), [str(error)]
    if faults and not state["mended"]:
        return {"current_agent": "tool_selection", "plan": [], "faults": faults}
    _tell_plan(run, state, checked)
    return {
        "current_agent": "tool_selection",
        "plan": checked.steps,
        "faults": [],
        "results": {**state["results"], **_refused(checked, number)},
        "tools_used": list(dict.fromkeys([*state["tools_used"], *(step["tool"] for step in checked.steps)])),
    }


async def tool_execution(state: State, runtime: Runtime[Context]) -> Json:
    """Run the plan's steps: side by side, or after what they need."""
    results, handed_over = await run_steps(runtime.context.run, state)
    return {"current_agent": "tool_execution", "results": results, "handed_over": handed_over}


async def reasoning(state: State, runtime: Runtime[Context]) -> Json:
    """Write the answer.

    It is held back while a check may still send it back, so that the user reads one answer, and the right one. Where
    no check can change it (no tool was needed, or no round is left) it reaches the user word by word.
    """
    run = runtime.context.run
    plain = not state["results"] and not state["missing"]
    by_facts = run.model.info.tool_mode == "fit"
    run.progress(f"answer-{state['iteration_count']}", "Writing the answer", "running")
    if plain or by_facts or not rounds_left(state):
        reply = await run.model.complete(answer_prompt(run, state), say=True)
        text, cut, said = reply.text, reply.finish == "length", True
        if not text.strip() and state["final_output"] and not state["said"]:
            # Nothing better came of this round than what was held back before.
            text = state["final_output"]
            run.say(text)
        settled = plain or by_facts or cut or not text.strip()
    else:
        reply = await run.model.complete(answer_prompt(run, state), hold=True)
        # What the client's own limit has cut is no better for being checked.
        text, settled = reply.text, reply.finish == "length"
        said = settled
        run.progress(f"answer-{state['iteration_count']}", "Answer written", "done")
        if said:
            run.say(text)
        elif text.strip():
            run.draft(text)
    return {"current_agent": "reasoning", "final_output": text, "said": said, "settled": settled}


async def verification(state: State, runtime: Runtime[Context]) -> Json:
    """Check the answer: it is given, or its fault goes into the next plan, or it is told below the last answer."""
    run = runtime.context.run
    number = state["iteration_count"]
    run.progress(f"check-{number}", "Checking the answer", "running")
    verdict = await _verdict(run, state)
    passed = verdict["passed"]
    missing = "" if passed else " ".join(verdict["missing"].split())[:LONGEST_MISSING] or "it was not said what"
    settled = passed or verdict.get("unread", False) or not rounds_left(state)
    if settled and not state["said"]:
        run.say(state["final_output"])
    if verdict.get("unread"):
        run.notice("The answer could not be checked.")
    elif not passed:
        draft = "" if state["said"] else f"{state['final_output']}\n"
        run.think(f"\n{draft}Not good enough yet: {missing}\n")
        if settled:
            run.notice(f"Could not be verified: {missing}")
    run.progress(f"check-{number}", "The answer is good" if passed else "The answer did not pass", "done")
    return {
        "current_agent": "verification",
        "verification_passed": passed,
        "missing": missing,
        "said": state["said"] or settled,
        "settled": settled,
    }


async def _verdict(run: Run, state: State) -> Json:
    """The model's verdict; ``unread`` where there is none to be had, since the answer stands without it."""
    if not state["final_output"].strip():
        return {"passed": False, "missing": "there was no answer at all"}
    try:
        verdict = read_object(await write(run, check_prompt(run, state), VERDICT))
    except (ModelError, Unreadable) as error:
        logger.warning("[PlanExecute] Check: no verdict: %s: %s", type(error).__name__, run.id)
        return {"passed": False, "missing": "", "unread": True}
    missing = verdict.get("missing")
    if not isinstance(verdict.get("passed"), bool):
        return {"passed": False, "missing": "", "unread": True}
    return {"passed": verdict["passed"], "missing": missing if isinstance(missing, str) else ""}


def _refused(checked: Checked, number: int) -> dict[str, Result]:
    return {
        name: Result(
            tool=step["tool"],
            input=step["input"],
            content=f"Not run: {checked.faults[name]}.",
            error=True,
            round=number,
        )
        for name, step in checked.faulty.items()
    }


def _tell_plan(run: Run, state: State, checked: Checked) -> None:
    """The plan as thinking, and as one line of progress."""
    number = state["iteration_count"]
    lines = [_line(step, run) for step in checked.steps]
    lines += [f"{name}: {checked.faulty[name]['tool']} is left out: {fault}" for name, fault in checked.faults.items()]
    thought = _thought(state["written"])
    run.think("".join(f"{line}\n" for line in [*([thought] if thought else []), *lines]))
    steps = len(checked.steps)
    told = "No tool is needed" if not steps else f"Plan of {steps} step{'s' * (steps > 1)}"
    run.progress(f"plan-{number}", told, "done")


def _line(step: Mapping[str, Any], run: Run) -> str:
    after = f" after {', '.join(step['needs'])}" if step["needs"] else ""
    return f"{step['id']}: {step['tool']} {json.dumps(step['input'], ensure_ascii=False)}{after}"


def _thought(written: str) -> str:
    try:
        thought = read_object(written).get("thought")
    except Unreadable:
        return ""
    return thought if isinstance(thought, str) else ""
