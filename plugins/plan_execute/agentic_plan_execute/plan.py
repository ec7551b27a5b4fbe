"""A written plan, read and checked against the tools at hand and what is known already."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import jsonschema

from agentic import Json, ToolSpec
from agentic_plan_execute.references import NAME, referred, renamed, within_text
from agentic_plan_execute.state import Result, Step

logger = logging.getLogger(__name__)

FENCED = re.compile(r"```(?:json)?\s*\n(?P<inner>.*?)\n\s*```", re.DOTALL)
SHORT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,11}")
"""Ids that are kept: with the run's they make call ids, for which some model servers take 40 characters."""
MOST_STEPS = 16
"""Steps of one plan. A longer one is no plan but a list, and a model that repeats itself writes no end of it."""


class Unreadable(ValueError):
    """What was written is not the JSON that was asked for; the message is for the model."""


@dataclass(slots=True)
class Checked:
    """A plan's steps that can be run, and those that cannot with the reason, by id; both in the plan's order."""

    steps: list[Step] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    faulty: dict[str, Step] = field(default_factory=dict)


def read_object(written: str) -> Json:
    """The JSON object that a text is, or holds between fences. Raises Unreadable."""
    fence = FENCED.search(written)
    try:
        value = json.loads(fence["inner"] if fence else written)
    except (ValueError, RecursionError) as error:
        raise Unreadable("It is not one JSON object.") from error
    if not isinstance(value, dict):
        raise Unreadable("It is not one JSON object.")
    return value


def read_steps(written: str) -> list[Step]:
    """The steps of a written plan, not yet checked against any tool. Raises Unreadable."""
    listed = read_object(written).get("steps")
    if not isinstance(listed, list):
        raise Unreadable('It has no list "steps".')
    if len(listed) > MOST_STEPS:
        raise Unreadable(f"It has {len(listed)} steps; {MOST_STEPS} are the most.")
    steps = [_step(one, number) for number, one in enumerate(listed, 1)]
    ids = [step["id"] for step in steps]
    if len(set(ids)) < len(ids):
        raise Unreadable("Two steps have the same id.")
    return steps


def check(steps: Sequence[Step], tools: Mapping[str, ToolSpec], known: Mapping[str, Result]) -> Checked:
    """Tell the steps that can be run from those that cannot; ``known`` are the results of earlier rounds.

    A step may need steps of its own plan and earlier results. Ids that were used before are given anew.
    """
    steps = _with_new_ids(steps, known)
    names = {*known, *(step["id"] for step in steps)}
    steps = [_with_implied_needs(step, names) for step in steps]
    of = {step["id"]: step for step in steps}
    checked = Checked()
    circle = _in_a_circle(steps)
    for step in steps:
        fault = _fault(step, tools, of, known)
        if not fault and step["id"] in circle:
            fault = "it waits for itself: the needs form a circle"
        if fault:
            checked.faults[step["id"]] = fault
            checked.faulty[step["id"]] = step
        else:
            checked.steps.append(step)
    _withdraw_dependents(checked)
    return checked


def _withdraw_dependents(checked: Checked) -> None:
    """A step that needs one that cannot be run cannot be run either."""
    while lost := [step for step in checked.steps if checked.faults.keys() & step["needs"]]:
        for step in lost:
            checked.steps.remove(step)
            checked.faulty[step["id"]] = step
            checked.faults[step["id"]] = "it needs a step that cannot be run"


def _step(one: Any, number: int) -> Step:
    if not isinstance(one, dict):
        raise Unreadable(f"Step {number} is not an object.")
    name, tool, given, needs = one.get("id", f"s{number}"), one.get("tool"), one.get("input"), one.get("needs") or []
    name = str(name) if type(name) is int else name
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise Unreadable(f'Step {number} has no id such as "s{number}".')
    if not isinstance(tool, str):
        raise Unreadable(f"Step {name} names no tool.")
    if not isinstance(given or {}, dict):
        raise Unreadable(f"The input of step {name} is not an object.")
    if not isinstance(needs, list) or not all(isinstance(need, (str, int)) for need in needs):
        raise Unreadable(f"The needs of step {name} are not a list of step ids.")
    return Step(id=name, tool=tool, input=given or {}, needs=list(dict.fromkeys(map(str, needs))))


def _with_new_ids(steps: Sequence[Step], known: Mapping[str, Result]) -> list[Step]:
    """The steps under ids of their own: what was used before, or makes no call id, gives way to the next free one."""
    taken = {*known, *(step["id"] for step in steps)}
    names: dict[str, str] = {}
    for step in steps:
        if step["id"] in known or not SHORT.fullmatch(step["id"]):
            number = next(n for n in range(1, len(taken) + 2) if f"s{n}" not in taken)
            names[step["id"]] = f"s{number}"
            taken.add(f"s{number}")
    if not names:
        return list(steps)
    return [
        Step(
            id=names.get(step["id"], step["id"]),
            tool=step["tool"],
            input=renamed(step["input"], names),
            needs=[names.get(need, need) for need in step["needs"]],
        )
        for step in steps
    ]


def _with_implied_needs(step: Step, names: Set[str]) -> Step:
    """Whose result is referred to is needed. Braces around what no step is called, nor could be, are just text."""
    implied = [name for name in referred(step["input"]) if name in names or re.fullmatch(r"s\d+", name)]
    return {**step, "needs": list(dict.fromkeys([*step["needs"], *implied]))}


def _fault(step: Step, tools: Mapping[str, ToolSpec], of: Mapping[str, Step], known: Mapping[str, Result]) -> str:
    """Why a step cannot be run, in words for the model; empty if it can."""
    spec = tools.get(step["tool"])
    if spec is None:
        return f"there is no tool {step['tool']!r}; tools: {', '.join(tools)}"
    for need in step["needs"]:
        if need not in of and need not in known:
            return f"it needs {need!r}, and there is no such step"
        if need in known and known[need]["error"]:
            return f"it needs {need!r}, which failed in an earlier round"
    for name in sorted(within_text(step["input"])):
        if _is_strangers(name, of, known, tools):
            return (
                f"{{{{{name}}}}} holds what strangers wrote: it can be a whole value, not a part of one. "
                "Plan this step when you have read that result"
            )
    return _input_fault(step["input"], spec)


def _is_strangers(
    name: str, of: Mapping[str, Step], known: Mapping[str, Result], tools: Mapping[str, ToolSpec]
) -> bool:
    """Whether a result is an untrusted tool's, or was made from one."""
    seen: set[str] = set()
    open_names = [name]
    while open_names:
        one = of.get(name := open_names.pop()) or known.get(name)
        if one is None or name in seen:
            continue
        seen.add(name)
        if one["tool"] in tools and tools[one["tool"]].untrusted:
            return True
        open_names += referred(one["input"])
    return False


def _input_fault(given: Json, spec: ToolSpec) -> str:
    """What is wrong with an input. A value with a reference in it is not known yet, so it is not judged."""
    try:
        for error in jsonschema.Draft202012Validator(spec.parameters).iter_errors(given):
            if not (isinstance(error.instance, str) and referred(error.instance)):
                place = ".".join(map(str, error.absolute_path))
                return f"its input does not fit: {f'{place}: ' if place else ''}{error.message[:300]}"
    except Exception:
        # A stranger's schema may be no schema; the tool itself judges its input then.
        logger.exception("[PlanExecute] A tool's schema cannot be used: %s", spec.name)
    return ""


def _in_a_circle(steps: Sequence[Step]) -> set[str]:
    """The steps that can never begin, since they wait for themselves or for one that does."""
    open_needs = {step["id"]: {*step["needs"]} for step in steps}
    while free := [name for name, needs in open_needs.items() if not needs & open_needs.keys()]:
        for name in free:
            del open_needs[name]
    return set(open_needs)
