"""The dice tool: what every tool owes (the kit), and what dice owe."""

import pytest
from agentic_dice import roll_dice

from agentic import ToolError
from agentic.testing.tool import ToolConformance, call


class TestDice(ToolConformance):
    @pytest.fixture
    def tool(self):
        return roll_dice

    @pytest.fixture
    def arguments(self):
        return [{}, {"sides": 20, "count": 2}]


@pytest.mark.parametrize("arguments", [{"sides": 1}, {"sides": 1001}, {"count": 0}, {"count": 101}])
async def test_impossible_dice_are_refused_with_the_limits(arguments):
    with pytest.raises(ToolError, match="sides must be 2 to 1000, count 1 to 100"):
        await call(roll_dice, arguments)


async def test_every_face_and_the_sum_are_told():
    faces, _, total = (await roll_dice(sides=6, count=3)).partition(", sum ")
    rolled = [int(face) for face in faces.strip("[]").split(", ")]
    assert len(rolled) == 3
    assert all(1 <= face <= 6 for face in rolled)
    assert sum(rolled) == int(total)
