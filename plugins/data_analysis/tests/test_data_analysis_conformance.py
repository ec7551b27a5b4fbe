"""The data_analysis tool owes what every tool owes."""

from collections.abc import AsyncIterator, Sequence

import pytest

from agentic import Json
from agentic.testing.tool import ToolConformance
from agentic_data_analysis.settings import Settings
from agentic_data_analysis.tool import DataAnalysisTool


class TestDataAnalysis(ToolConformance):
    @pytest.fixture
    async def tool(self) -> AsyncIterator[DataAnalysisTool]:
        made = DataAnalysisTool(Settings(data_analysis_timeout=10))
        yield made
        await made.aclose()

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        return [
            {"data": '[{"region": "north", "sales": 10}, {"region": "south", "sales": 20}]'},
            {
                "data": "region,sales\nnorth,10\nsouth,20",
                "operation": "sum",
                "columns": ["sales"],
                "group_by": ["region"],
            },
            {"data": '{"shop": {"items": [{"price": 1}, {"price": 2}]}}', "path": "shop.items", "operation": "mean"},
        ]
