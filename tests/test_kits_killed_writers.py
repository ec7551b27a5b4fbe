"""The writers that kits of stores kill: however they end, the kit is told, and never waits for ever."""

from __future__ import annotations

import pytest

from agentic.testing.killed_writers import KilledWriter

CUT = """
import time

def write_for_ever():
    print("1\\n2\\n3", end="", flush=True)
    time.sleep(600)
"""
ENDS = """
def write_for_ever():
    print(1, flush=True)
"""


async def test_writer_killed_within_its_line_has_written_that_line_too() -> None:
    async with KilledWriter(CUT) as writer:
        assert [await writer.killed(2), await writer.killed(2)] == [3, 3]


async def test_writer_that_ends_by_itself_fails_the_kit() -> None:
    with pytest.raises(AssertionError, match="ended by itself"):
        async with KilledWriter(ENDS) as writer:
            await writer.killed(2)


async def test_program_that_does_not_load_fails_the_kit() -> None:
    with pytest.raises(AssertionError, match="is the fixture `program` right"):
        async with KilledWriter("import nowhere") as writer:
            await writer.killed(1)
