"""What models and tools say that JSON can hardly hold reaches every client whole, and is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentic.messages import LEVELS, TOO_DEEP, TOO_LONG, call_from_json, call_to_json, dump, tool_call
from agentic.testing.ollama import ScriptedOllama, calls
from agentic.testing.server import Server, own_environment, run_agentic, running_server
from tests.http_fixtures import Api, install, read_stream

ODD = '''
"""A tool that takes anything, and gives half of an emoji."""

from typing import Any

from agentic import hookimpl, tool


@tool(examples=["Weigh the odd thing"])
async def weigh(thing: Any) -> str:
    """Weigh a thing."""
    return "half \\ud83d done"


@hookimpl
def agentic_tools():
    return weigh
'''
HUGE = {"sides": 10**30}
HALF = "half \ud83d done"


def nested(levels: int) -> Any:
    """A list in a list, that many levels deep."""
    value: Any = "core"
    for _ in range(levels):
        value = [value]
    return value


@pytest.fixture(scope="module")
def odd_ollama() -> Iterator[tuple[ScriptedOllama, str]]:
    ollama = ScriptedOllama()
    with ollama.running() as url:
        yield ollama, url


@pytest.fixture(scope="module")
def odd_server(
    odd_ollama: tuple[ScriptedOllama, str], tmp_path_factory: pytest.TempPathFactory, prepared: tuple[Path, Any]
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("odd")
    data = Path(shutil.copytree(prepared[0], folder / "data"))
    with running_server({"OLLAMA_HOST": odd_ollama[1]}, path=[install(folder, "odd", ODD)], data_dir=data) as server:
        yield server


@pytest.mark.parametrize("thing", [HUGE, {"deep": nested(300)}, {"half": HALF}], ids=["huge", "deep", "half"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_odd_arguments_and_results_are_answered_and_kept(
    odd_server: Server,
    odd_ollama: tuple[ScriptedOllama, str],
    keys: dict[str, str],
    thing: Any,
    stream: bool,
) -> None:
    odd_ollama[0].script(calls(("weigh", {"thing": thing})), "Weighed.")
    with Api(odd_server, keys["ann"]) as api:
        answer = api.chat("Weigh it", model="agentic/react", stream=stream)
        assert answer.status_code == 200, answer.text
        if stream:
            streamed = read_stream(answer)
            assert (streamed.text, streamed.error) == ("Weighed.", None)
            steps = [chunk["agentic"] for chunk in streamed.chunks if "type" in chunk.get("agentic", {})]
        else:
            assert answer.json()["choices"][0]["message"]["content"] == "Weighed."
            steps = answer.json()["agentic"]["steps"]
        assert_weighed(steps, thing)
        assert_weighed(api.run_of(answer), thing)
        assert api.conversation(answer.headers["x-session-id"])[-1]["content"] == "Weighed."


def assert_weighed(steps: list[dict[str, Any]], thing: Any) -> None:
    (started,) = [step for step in steps if step["type"] == "tool_call_started"]
    (finished,) = [step for step in steps if step["type"] == "tool_call_finished"]
    assert started["arguments"] == {"thing": thing}
    assert (finished["result"], finished["error"]) == (HALF, False)


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_ask_prints_odd_values(
    tmp_path: Path, odd_ollama: tuple[ScriptedOllama, str], options: tuple[str, ...]
) -> None:
    odd_ollama[0].script(calls(("weigh", {"thing": HUGE})), "Weighed.")
    env = own_environment(
        {"OLLAMA_HOST": odd_ollama[1]}, data_dir=tmp_path / "data", path=[install(tmp_path, "odd", ODD)]
    )
    done = run_agentic("ask", "Weigh it", "--agent", "react", *options, env=env, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    if options:
        assert_weighed(json.loads(done.stdout)["agentic"]["steps"], HUGE)
    else:
        assert done.stdout == "Weighed.\n"
        assert str(10**30) in done.stderr
        assert "← half \ufffd done" in done.stderr


def test_nesting_beyond_what_can_be_written_is_cut_and_says_so() -> None:
    written = json.loads(dump({"kept": 1, "deep": nested(5000)}))
    assert written["kept"] == 1
    deep = written["deep"]
    for _ in range(LEVELS - 1):
        (deep,) = deep
    assert deep == TOO_DEEP


@pytest.mark.parametrize("write", [dump, lambda value: dump(value, indent=True)], ids=["dense", "indented"])
def test_numbers_that_are_none_never_make_bad_json(write: Callable[[Any], bytes]) -> None:
    odd = {"nan": float("nan"), "endless": [float("inf")], "huge": 10**30, "vast": 10**5000, "yes": True}
    assert json.loads(write(odd), parse_constant=pytest.fail) == {
        "nan": None,
        "endless": [None],
        "huge": 10**30,
        "vast": TOO_LONG,
        "yes": True,
    }


def test_what_is_no_json_value_is_refused() -> None:
    with pytest.raises(TypeError):
        dump({"thing": object()})


def test_arguments_that_are_no_json_are_kept_as_they_came() -> None:
    written = '{"sides": NaN}'
    call = tool_call("c-1", "roll", written)
    assert (call.arguments, call.malformed) == ({}, written)
    assert call_from_json(call_to_json(call)) == call


def test_odd_arguments_come_back_from_what_is_written_of_a_call() -> None:
    call = tool_call("c-1", "roll", {"sides": 10**30, "half": HALF, "deep": nested(300)})
    assert call_from_json(json.loads(dump(call_to_json(call)))) == call
