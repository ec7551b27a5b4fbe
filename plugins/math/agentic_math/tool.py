"""The tool as the kernel and the models see it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentic import Json, Tool, ToolContext, Traits
from agentic.workers import Words, WorkerPool
from agentic_math.examples import EXAMPLES
from agentic_math.settings import Settings


class Arguments(BaseModel):
    """What the model fills in."""

    model_config = ConfigDict(extra="forbid")

    expression: str = Field(description="one expression in plain notation, no words and no LaTeX")


class MathTool(Tool):
    """Computes exactly, in processes of its own that are ended when they take too long."""

    name = "math"
    description = (
        "Compute exactly: arithmetic, percentages, algebra, equations, calculus, matrices, statistics, units. "
        "Samples: 15% of 80 | solve(x^2 - 4 = 0, x) | solve([x + y = 3, x - y = 1], [x, y]) | diff(x*sin(x), x) | "
        "integrate(x^2, (x, 0, 3)) | det([[1, 2], [3, 4]]) | 5 km to miles. log is the natural logarithm."
    )
    args = Arguments

    def __init__(self, settings: Settings) -> None:
        limit = settings.math_timeout
        self.pool = WorkerPool(
            "agentic_math.worker",
            timeout_s=limit,
            memory_mb=settings.math_memory_mb,
            words=Words(
                busy="All workers are busy with long computations. Try again in a moment.",
                slow=f"The computation did not finish within {limit:g} s and was stopped. Try a smaller one.",
                died="The computation was cut off: it took too much memory or time. Try a smaller one.",
                absent="The calculator could not be started; the server's log says more.",
            ),
        )
        self.traits = Traits(timeout_s=self.pool.longest_s, examples=EXAMPLES)

    def suggest(self, text: str) -> Json | None:
        """The expression that a plain request asks for, else None."""
        from agentic_math.requests import expression_in

        expression = expression_in(text)
        return None if expression is None else {"expression": expression}

    async def run(self, args: Any, ctx: ToolContext) -> str:
        """The exact answer, and the decimal one where it differs.

        Raises ToolRetry for what cannot be read, ToolError for what cannot be computed within the limits.
        """
        return await self.pool.ask({"expression": args.expression})

    async def aclose(self) -> None:
        """End the workers; without this they end with the server."""
        await self.pool.aclose()
