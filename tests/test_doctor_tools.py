"""``agentic doctor`` asks every tool how it works on this machine."""

from types import SimpleNamespace
from typing import Any, cast

from agentic import Tool, ToolError
from agentic.cli.doctor import _tools
from agentic.kernel import Kernel


class Quiet(Tool):
    name = "quiet"


class Telling(Tool):
    name = "telling"

    async def check(self) -> str:
        return "with the second-best engine"


class Broken(Tool):
    name = "broken"

    async def check(self) -> str:
        raise ToolError("no engine holds. Install one")


class Buggy(Tool):
    name = "buggy"

    async def check(self) -> str:
        raise ZeroDivisionError


async def test_tools_tell_how_they_work_and_a_bug_in_one_hides_no_other() -> None:
    tools: dict[str, Any] = {kind.name: kind() for kind in (Buggy, Broken, Quiet, Telling)}
    kernel = SimpleNamespace(catalog=SimpleNamespace(tools=lambda: tools))
    assert await _tools(cast(Kernel, kernel)) == [
        (False, "tool buggy: its check failed with ZeroDivisionError; the log says more"),
        (False, "tool broken: no engine holds. Install one"),
        (True, "tool telling: with the second-best engine"),
    ]
