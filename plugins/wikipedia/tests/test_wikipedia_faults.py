"""Faults of Wikipedia: each is told to the model, and the next call works. Those of the way there are the kernel's."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agentic import ToolError
from agentic.testing.scripted_answers import Answer
from agentic.testing.tool import call
from agentic.testing.wikipedia import ScriptedWikipedia, fails, gives, hangs
from agentic_wikipedia.settings import Settings
from agentic_wikipedia.tool import WikipediaTool

ADA = {"query": "Ada Lovelace"}


@pytest.fixture
def wikipedia() -> ScriptedWikipedia:
    return ScriptedWikipedia()


@asynccontextmanager
async def served(wikipedia: ScriptedWikipedia, timeout_s: float) -> AsyncIterator[WikipediaTool]:
    async with wikipedia.serve() as url:
        made = WikipediaTool(Settings(wikipedia_base_url=url, wikipedia_timeout=timeout_s))
        yield made
        await made.aclose()


@pytest.fixture
async def tool(wikipedia: ScriptedWikipedia) -> AsyncIterator[WikipediaTool]:
    async with served(wikipedia, 30) as made:
        yield made


@pytest.fixture
async def hasty(wikipedia: ScriptedWikipedia) -> AsyncIterator[WikipediaTool]:
    async with served(wikipedia, 1) as made:
        yield made


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (fails(429, "slow down", retry_after_s=7), r"too many requests \(429\). Try again in 7 s"),
        (fails(403, "no"), r"refused the request \(403\)"),
        (fails(404, "nothing"), "There is no Wikipedia at http://127"),
        (gives({"query": []}), "not what Wikipedia answers"),
        (gives({}), "not what Wikipedia answers"),
        (
            gives({"errors": [{"code": "internal", "text": "none of the format that is asked for"}]}),
            "not what Wikipedia",
        ),
        (gives({"query": {"pages": [{"ns": 0}]}}), "not what Wikipedia answers"),
        (gives({"error": {"code": "maxlag", "info": "Waiting for a database"}}), "maxlag"),
    ],
)
async def test_every_fault_is_told_and_the_next_call_works(
    tool: WikipediaTool, wikipedia: ScriptedWikipedia, fault: Answer, message: str
) -> None:
    wikipedia.faults["/w/api.php"] = fault
    with pytest.raises(ToolError, match=message):
        await call(tool, ADA)
    wikipedia.faults.clear()
    assert (await call(tool, ADA)).content.startswith("Ada Lovelace")


async def test_time_to_wait_is_handed_on(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    wikipedia.script(fails(429, "slow down", retry_after_s=7))
    with pytest.raises(ToolError) as caught:
        await call(tool, ADA)
    assert caught.value.retry_after_s == 7


async def test_fault_of_the_summary_is_told_too(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    wikipedia.faults["/api/rest_v1/page/summary/Ada_Lovelace"] = gives({"extract": 5})
    with pytest.raises(ToolError, match="not what Wikipedia answers"):
        await call(tool, ADA)


async def test_silence_is_given_up_after_the_timeout_that_is_set(
    hasty: WikipediaTool, wikipedia: ScriptedWikipedia
) -> None:
    wikipedia.script(hangs())
    with pytest.raises(ToolError, match="Wikipedia did not answer within 1 s"):
        await call(hasty, ADA)


async def test_tool_can_be_closed_twice_and_used_again(tool: WikipediaTool) -> None:
    await tool.aclose()
    await call(tool, ADA)
    await tool.aclose()
    await tool.aclose()
    assert (await call(tool, ADA)).content


async def test_log_holds_no_word_of_the_query_or_of_the_article(
    tool: WikipediaTool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "agentic")
    await call(tool, ADA)
    own = [record.getMessage() for record in caplog.records if record.name.startswith("agentic")]
    assert own and all("Ada" not in line and "mathematician" not in line for line in own)


def test_plugin_loads_without_its_libraries() -> None:
    code = (
        "import sys, agentic_wikipedia as plugin\n"
        "plugin.agentic_tools(plugin.agentic_settings()()).suggest('wikipedia: Ada')\n"
        "print({'httpx', 'sentencex'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert run.stdout.strip() == "set()"
