"""The tool as the kernel and the models see it."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agentic import Json, Tool, ToolContext, ToolError, Traits
from agentic.workers import Words, WorkerPool
from agentic_data_analysis.examples import EXAMPLES
from agentic_data_analysis.operations import Operation, operation_named
from agentic_data_analysis.settings import Settings

MAX_CHARACTERS = 10_000_000


def _as_text(value: Any) -> Any:
    """Models hand over arrays and objects as they are, too."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _as_list(value: Any) -> Any:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str | int | float) and not isinstance(value, bool) else value


def _or(default: Any) -> BeforeValidator:
    """The default for null."""
    return BeforeValidator(lambda value: default if value is None else value)


class Arguments(BaseModel):
    """What the model fills in."""

    model_config = ConfigDict(extra="forbid")

    data: Annotated[str, BeforeValidator(_as_text)] = Field(description="the whole JSON or CSV text, unchanged")
    operation: Annotated[Operation, BeforeValidator(operation_named)] = Field(
        "summary", description="what to compute; summary: everything"
    )
    columns: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        [], description="names of columns or fields; empty: all", max_length=100
    )
    group_by: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        [], description="names of columns whose equal values make a group", max_length=5
    )
    path: Annotated[str, _or("")] = Field(
        "", description="JMESPath to a nested part such as store.items; empty: all tables are found", max_length=500
    )
    n: Annotated[int, _or(10)] = Field(10, ge=1, le=100, description="how many groups, values or pairs to list")
    quantiles: Annotated[list[Annotated[float, Field(ge=0, le=1)]], BeforeValidator(_as_list)] = Field(
        [], description="from 0 to 1, with operation quantiles; 0.9: the 90th percentile", max_length=20
    )


class DataAnalysisTool(Tool):
    """Analyses in processes of its own that are ended when they take too long."""

    name = "data_analysis"
    description = (
        "Statistics of JSON or CSV data: count, sum, mean, median, min, max, std, quantiles, missing values, "
        "most frequent values, groups, correlations. Nested JSON is searched for its tables. Without an operation "
        'it gives the full summary. Sample: {"data": "region,sales\\nnorth,10\\nsouth,20", "operation": "sum", '
        '"columns": ["sales"], "group_by": ["region"]}'
    )
    args = Arguments

    def __init__(self, settings: Settings) -> None:
        limit = settings.data_analysis_timeout
        self.pool = WorkerPool(
            "agentic_data_analysis.worker",
            timeout_s=limit,
            memory_mb=settings.data_analysis_memory_mb,
            words=Words(
                busy="Other analyses take all workers. Try again in a moment.",
                slow=f"The analysis did not finish within {limit:g} s and was stopped. Give fewer rows or columns.",
                died="The analysis was cut off: it took too much memory or time. Give fewer rows or columns.",
                absent="The analysis could not be started; the server's log says more.",
            ),
            # One thread is enough for columns of this size, and each more one reserves memory.
            variables={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
        self.traits = Traits(timeout_s=self.pool.longest_s, examples=EXAMPLES)

    def suggest(self, text: str) -> Json | None:
        """The data in a plain request, with the operation and columns that it names; None if it asks for no figures."""
        from agentic_data_analysis.requests import arguments_in

        return arguments_in(text)

    async def run(self, args: Any, ctx: ToolContext) -> str:
        """Figures as Markdown, exact counts, rounded figures marked.

        Raises ToolRetry for what cannot be read or is not there, ToolError for what passes the limits.
        """
        if len(args.data) > MAX_CHARACTERS:
            raise ToolError(f"The data has {len(args.data)} characters; at most {MAX_CHARACTERS} can be analysed.")
        return await self.pool.ask(args.model_dump(exclude={"data"}), args.data.encode("utf-8", "replace"))

    async def aclose(self) -> None:
        """End the workers; without this they end with the server."""
        await self.pool.aclose()
