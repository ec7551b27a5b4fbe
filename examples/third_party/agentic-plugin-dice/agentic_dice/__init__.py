"""Dice, for games and chance decisions."""

import random
from typing import Annotated

from agentic import ToolError, hookimpl, tool


@tool(risk="read", examples=["Roll two dice", "Give me a d20"])
async def roll_dice(
    sides: Annotated[int, "faces per die, 2 to 1000"] = 6,
    count: Annotated[int, "how many dice, 1 to 100"] = 1,
) -> str:
    """Roll fair dice; gives every face and the sum."""
    if not (2 <= sides <= 1000 and 1 <= count <= 100):
        raise ToolError("sides must be 2 to 1000, count 1 to 100")
    faces = [random.randint(1, sides) for _ in range(count)]
    return f"{faces}, sum {sum(faces)}"


@hookimpl
def agentic_tools():
    return roll_dice
