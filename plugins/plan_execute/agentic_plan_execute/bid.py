"""How fit the agent is for a request: a tool is needed, and the things asked for do not need each other."""

from __future__ import annotations

from agentic import GENERAL, Bid, Task


def bid(task: Task) -> Bid:
    """As high as a tool is likely to help, and lower the more the request is one step or a chain of steps."""
    if task.tool_choice != "auto":
        return Bid(0.1, "the client has settled which tools are called")
    if not task.fit:
        return Bid(0.05, "no tool is installed")
    shape = task.shape
    work = f"{shape.targets} things side by side" if shape.parts > 0.5 else "one step or a chain"
    fitness = GENERAL * shape.tool * (0.75 + 0.25 * shape.parts)
    return Bid(round(fitness, 3), f"a tool helps ({shape.tool:.2f}); the work is {work}")
