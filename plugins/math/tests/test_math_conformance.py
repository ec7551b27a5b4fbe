"""The math tool owes what every tool owes."""

from collections.abc import AsyncIterator, Sequence

import pytest

from agentic import Json
from agentic.testing.tool import ToolConformance
from agentic_math.settings import Settings
from agentic_math.tool import MathTool


class TestMath(ToolConformance):
    @pytest.fixture
    async def tool(self) -> AsyncIterator[MathTool]:
        made = MathTool(Settings(math_timeout=5))
        yield made
        await made.aclose()

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        return [{"expression": "17*23"}, {"expression": "solve(x^2 - 4, x)"}, {"expression": "5 km to miles"}]
