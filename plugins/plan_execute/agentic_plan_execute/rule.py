"""A plan by rule, for models that cannot plan: each clause of the request to the tool that reads arguments from it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from agentic import Json, Run, ToolSpec
from agentic_plan_execute.clauses import LONGEST, clauses
from agentic_plan_execute.state import Step

logger = logging.getLogger(__name__)


def by_rule(run: Run) -> list[Step]:
    """Independent steps, one a clause that a tool reads arguments from; empty if no tool reads any."""
    ranks = {fit.tool: place for place, fit in enumerate(run.task.fit)}
    tools = sorted(
        (spec for spec in run.tools.specs if not spec.client and spec.suggest is not None),
        key=lambda spec: ranks.get(spec.name, len(ranks)),
    )
    text = run.task.text
    if len(text) > LONGEST:
        return []
    found = _calls(clauses(text), tools) or _calls([text], tools)
    return [Step(id=f"s{number}", tool=tool, input=given, needs=[]) for number, (tool, given) in enumerate(found, 1)]


def _calls(texts: Sequence[str], tools: Sequence[ToolSpec]) -> list[tuple[str, Json]]:
    found: list[tuple[str, Json]] = []
    for text in texts:
        read = ((tool.name, given) for tool in tools if (given := _suggestion(tool, text)) is not None)
        call = next(read, None)
        if call is not None and call not in found:
            found.append(call)
    return found


def _suggestion(tool: ToolSpec, text: str) -> Json | None:
    """What the tool reads from a clause; a stranger's rule that fails has read nothing."""
    try:
        read = tool.suggest(text) if tool.suggest is not None else None
    except (Exception, SystemExit):
        logger.exception("[PlanExecute] A tool's suggest failed: %s", tool.name)
        return None
    return read if isinstance(read, dict) else None
