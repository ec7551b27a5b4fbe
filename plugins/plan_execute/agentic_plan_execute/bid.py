"""How fit the agent is for a request, by its structure: several things asked for that do not need each other."""

from __future__ import annotations

import re

from agentic import Bid, Task
from agentic_plan_execute.clauses import LONGEST, clauses

IN_TURN = re.compile(
    r"\b(?:then|after that|afterwards|next|followed by|step by step|depending on|based on (?:that|this|it)"
    r"|if (?:so|not|it|that|this)|use (?:that|this|it)|with (?:that|this|the) result)\b",
    re.IGNORECASE,
)
SIDE_BY_SIDE = re.compile(
    r"\b(?:and also|as well as|compare|comparison|both|each of|all of|versus|vs|respectively)\b", re.IGNORECASE
)
LISTED = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+\S", re.MULTILINE)
WORD = re.compile(r"\w+")


def bid(task: Task) -> Bid:
    """A little above the fittest tool where several independent things are asked for, else well below."""
    if task.tool_choice != "auto":
        return Bid(0.1, "the client has settled which tools are called")
    if not task.fit:
        return Bid(0.05, "no tool is installed")
    text = task.text[:LONGEST]
    best = task.fit[0]
    fitness = 0.1 + 0.85 * best.score
    asked = sum(len(WORD.findall(clause)) > 1 for clause in clauses(text))
    several = asked >= 2 and (len(LISTED.findall(text)) >= 2 or bool(SIDE_BY_SIDE.search(text)) or asked >= 3)
    if several and not IN_TURN.search(text):
        return Bid(round(min(1.0, fitness + 0.04), 3), f"{asked} things at once, {best.tool} fits {best.score:.2f}")
    return Bid(round(0.6 * fitness, 3), "one thing, or one after another")
