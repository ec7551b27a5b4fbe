"""The process that analyses: :func:`agentic.workers.serve` over numpy."""

from __future__ import annotations

import warnings

from agentic import Json
from agentic.workers import serve
from agentic_data_analysis.analysis import analyse


def main() -> None:
    """Analyse the payload as each request says, until standard input closes."""
    # numpy warns of constant columns and overflows, which the answer tells in its own words.
    warnings.simplefilter("ignore")
    serve(
        answer,
        too_big="This needs more memory than an analysis may use. Give fewer rows or columns.",
        too_deep="The data is nested too deeply to be analysed.",
    )


def answer(request: Json, data: bytes) -> str:
    """What the data, text in UTF-8, comes to. Raises ToolRetry or ToolError where that is nothing."""
    return analyse(request, data.decode())


if __name__ == "__main__":
    main()
