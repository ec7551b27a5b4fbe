"""The README does not lie: its examples are run, or are the very text of files that are; its tables are made anew."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import httpx
import pytest
from markdown_it import MarkdownIt

import agentic
from agentic import hookspecs, services, workers
from agentic.testing.ollama import ScriptedOllama, calls, says
from agentic.testing.server import Server, own_environment, running_server

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLES = ROOT / "examples/third_party"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
BIN = Path(sys.executable).parent

pytestmark = pytest.mark.slow


class Block(NamedTuple):
    """A fenced block: the heading it stands under, its language, its text."""

    heading: str
    language: str
    text: str


def blocks() -> list[Block]:
    heading, found = "", []
    tokens = MarkdownIt().parse(README)
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and after is not None:
            heading = after.content
        elif token.type == "fence":
            found.append(Block(heading, token.info, token.content))
    return found


def block(heading: str, language: str, number: int = 0) -> str:
    return [one.text for one in blocks() if one[:2] == (heading, language)][number]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shell(
    script: str, folder: Path, environment: Mapping[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a script of the README as a user would, with the commands of this environment first on the PATH."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=folder, env={**environment, "PATH": path}, input=typed, capture_output=True, text=True, timeout=100,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stderr}\n{done.stdout}"
    return done


def without_uv(script: str) -> str:
    """The command that uv would run in the environment in which the tests run already."""
    return script.rpartition("uv run ")[2]


@pytest.fixture
def offline(empty_data: Path) -> dict[str, str]:
    """A fresh machine without a model server. The plugin for one would find whatever runs on this machine."""
    return own_environment({"AGENTIC_DISABLE": "ollama"}, data_dir=empty_data)


@pytest.fixture(scope="module")
def ollama() -> Iterator[ScriptedOllama]:
    ollama = ScriptedOllama()
    ollama.answer = calculate
    yield ollama


@pytest.fixture(scope="module")
def served(ollama: ScriptedOllama) -> Iterator[Server]:
    with ollama.running() as url, running_server({"OLLAMA_HOST": url}) as server:
        yield server


@pytest.fixture(scope="module")
def as_client(served: Server) -> dict[str, str]:
    """The environment of a client, as the README's own commands make it."""
    make = block("Serve", "sh", 0) + '\nprintf %s "$OPENAI_API_KEY"'
    key = shell(make, served.data_dir.parent, served.environment, typed="correct horse battery\n").stdout
    return {**served.environment, "OPENAI_API_KEY": key, "OPENAI_BASE_URL": f"{served.url}/v1"}


def calculate(body: Any) -> Any:
    """A model that calls the tool ``math`` where it is offered, and then tells its result."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return says(f"It is {last['content']}.")
    offered = [tool["function"]["name"] for tool in body.get("tools", ())]
    asked = re.search(r"\d+ [*/] \d+", last["content"])
    return calls(("math", {"expression": asked[0]})) if asked and "math" in offered else says("Yes.")


def test_every_block_is_held_by_a_test_of_this_file() -> None:
    assert [one[:2] for one in blocks()] == [
        ("Try it", "sh"),
        ("Try it", "sh"),
        ("Install", "sh"),
        ("Ask", "sh"),
        ("Ask", "sh"),
        ("Talk", "sh"),
        ("Serve", "sh"),
        ("Serve", "sh"),
        ("Serve", "sh"),
        ("Serve", "python"),
        ("Responses and embeddings", "python"),
        ("Approvals", "python"),
        ("Conversations", "sh"),
        ("Write a tool", "toml"),
        ("Write a tool", "python"),
        ("Write a tool", "python"),
        ("Write a tool", "sh"),
        ("Write an agent", "python"),
    ]


def test_the_two_commands_differ_in_what_uv_runs_alone() -> None:
    first, second = block("Try it", "sh", 0), block("Try it", "sh", 1)
    assert first.partition("uv run ")[0] == second.partition("uv run ")[0]
    assert first.startswith("python3 -m venv .tools && .tools/bin/pip install --quiet uv && .tools/bin/")


def test_the_first_command_calculates_with_the_embedded_model_and_says_so(
    tmp_path: Path, offline: dict[str, str]
) -> None:
    done = shell(without_uv(block("Try it", "sh", 0)), tmp_path, offline)
    assert done.stdout == "391\n"
    assert "embedded model" in done.stderr


def test_the_second_command_is_what_ci_runs() -> None:
    assert block("Try it", "sh", 1).strip() in (ROOT / ".ci/run").read_text("utf-8")


def test_pip_is_given_the_kernel_and_the_default_plugins() -> None:
    words = block("Install", "sh").split("pip install ")[1].split()
    folders = {
        f"./plugins/{name.removeprefix('agentic-plugin-').replace('-', '_')}"
        for name in PROJECT["dependency-groups"]["default"]
    }
    assert words[0] == "."
    assert set(words[1:]) == folders
    assert all((ROOT / folder / "pyproject.toml").exists() for folder in folders)


def test_questions_on_the_command_line_are_answered(tmp_path: Path, offline: dict[str, str]) -> None:
    out = shell(block("Ask", "sh", 0), tmp_path, offline).stdout
    first, _, whole = out.partition("\n")
    assert first == "391"
    assert "-4" in json.loads(whole)["choices"][0]["message"]["content"]


def test_a_conversation_answers_line_by_line(tmp_path: Path, offline: dict[str, str]) -> None:
    typed = "What is 17 * 23?\nWhat is 391 / 17?\n"
    assert shell(block("Talk", "sh"), tmp_path, offline, typed).stdout.split() == ["391", "23"]


def test_doctor_reaches_the_model_that_was_chosen(ollama: ScriptedOllama, as_client: dict[str, str]) -> None:
    out = shell(block("Ask", "sh", 1), Path(as_client["DATA_DIR"]).parent, as_client).stdout
    assert "default model: qwen3:8b" in out
    assert "bad" not in out.replace("\n", " ").split()


def test_the_server_is_started_by_the_command_that_is_told() -> None:
    assert block("Serve", "sh", 1) == "agentic serve\n", "what the fixture `served` runs"


def test_curl_gets_an_answer_that_used_a_tool(served: Server, as_client: dict[str, str], tmp_path: Path) -> None:
    script = block("Serve", "sh", 2).replace("http://127.0.0.1:8000", served.url)
    assert script.count(served.url) == 1
    answer = json.loads(shell(script, tmp_path, as_client).stdout)
    assert answer["choices"][0]["message"]["content"] == "It is 391."


def test_openai_client_gets_answers_and_goes_on_with_the_session(
    ollama: ScriptedOllama, as_client: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "ask.py").write_text(block("Serve", "python"), "utf-8")
    assert shell("python ask.py", tmp_path, as_client).stdout == "It is 391.\nIt is 23."
    asked = [message["content"] for message in ollama.chats[-1]["messages"] if message["role"] == "user"]
    assert asked == ["What is 17 * 23?", "And what is 391 / 17?"]


def test_openai_client_gets_responses_and_vectors(as_client: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "ask.py").write_text(block("Responses and embeddings", "python"), "utf-8")
    assert shell("python ask.py", tmp_path, as_client).stdout == "It is 391.\nIt is 23.\n2\n"


@pytest.mark.parametrize(("typed", "told"), [("y", "17 in all"), ("n", "the user has denied it")])
def test_client_that_offers_to_ask_decides_what_is_run(
    as_client: dict[str, str], tmp_path: Path, typed: str, told: str
) -> None:
    ollama = ScriptedOllama()
    ollama.script(calls(("python_exec", {"code": "print(8 + 9, 'in all')"})))
    (tmp_path / "ask.py").write_text(block("Approvals", "python"), "utf-8")
    data_dir = Path(as_client["DATA_DIR"])
    with (
        ollama.running() as url,
        running_server({"OLLAMA_HOST": url, "APPROVE": "execute"}, data_dir=data_dir) as server,
    ):
        environment = {**as_client, "OPENAI_BASE_URL": f"{server.url}/v1"}
        out = shell("python ask.py", tmp_path, environment, typed=f"{typed}\n").stdout
    assert out.startswith("python_exec {'code': ")
    assert "this server asks before each such call (APPROVE)" in out
    assert told in out.partition("Run it? ")[2]


def test_conversations_are_found_renamed_exported_and_deleted(
    served: Server, as_client: dict[str, str], tmp_path: Path
) -> None:
    shell(
        block("Serve", "sh", 2).replace("http://127.0.0.1:8000", served.url).replace("What", "How much"),
        tmp_path,
        as_client,
    )
    script = block("Conversations", "sh").replace("http://127.0.0.1:8000", served.url)
    out = shell(script, tmp_path, as_client).stdout
    found, renamed, exported = out.partition("}{")[0], '"title":"Sums"', "# Sums\n"
    assert '"matches":[{"role":"user"' in found
    assert out.index(renamed) < out.index(exported) < out.index('"deleted":true')


@pytest.mark.parametrize(
    ("heading", "language", "number", "path"),
    [
        ("Write a tool", "toml", 0, "agentic-plugin-dice/pyproject.toml"),
        ("Write a tool", "python", 0, "agentic-plugin-dice/agentic_dice/__init__.py"),
        ("Write a tool", "python", 1, "agentic-plugin-dice/tests/test_dice.py"),
        ("Write an agent", "python", 0, "agentic-plugin-critic/agentic_critic/__init__.py"),
    ],
)
def test_code_of_plugins_is_that_of_the_examples(heading: str, language: str, number: int, path: str) -> None:
    """The examples themselves are built, installed and used by ``test_third_party.py``."""
    assert block(heading, language, number) == (EXAMPLES / path).read_text("utf-8")


@pytest.mark.parametrize("name", ["dice", "critic"])
def test_tests_of_the_examples_pass(name: str) -> None:
    folder = EXAMPLES / f"agentic-plugin-{name}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_dice_are_listed_and_rolled_by_the_commands_that_are_told(tmp_path: Path) -> None:
    source = EXAMPLES / "agentic-plugin-dice"
    install, listing, question = block("Write a tool", "sh").splitlines()
    assert install == f"pip install ./{source.relative_to(ROOT)}"
    # Found on the path in the place of an installation, which `test_third_party.py` makes.
    described = tmp_path / "path/agentic_plugin_dice-0.1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: agentic-plugin-dice\nVersion: 0.1.0\n")
    (described / "entry_points.txt").write_text("[agentic]\ndice = agentic_dice\n")
    ollama = ScriptedOllama()
    ollama.script(calls(("roll_dice", {"count": 2})), says("You rolled them."))
    with ollama.running() as url:
        data, path = tmp_path / "data", [source, described.parent]
        environment = own_environment({"OLLAMA_HOST": url, "COLUMNS": "200"}, data_dir=data, path=path)
        listed = shell(listing, tmp_path, environment).stdout
        asked = shell(question, tmp_path, environment)
    assert re.search(r"dice +0\.1\.0 +active +tool roll_dice", listed)
    assert asked.stdout == "You rolled them.\n"
    assert ", sum " in asked.stderr


def test_generated_parts_are_current() -> None:
    generate = generator()
    advice = "run: uv run python docs/generate.py"
    assert generate.readme(README) == README, advice
    assert generate.reference() == (ROOT / "docs/reference.md").read_text("utf-8"), advice


def test_endpoints_of_the_table_are_those_of_a_running_server(served: Server) -> None:
    paths = httpx.get(f"{served.url}/openapi.json").json()["paths"]
    offered = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert set(re.findall(r"^\| `((?:GET|POST|PUT|PATCH|DELETE) [^`]+)`", README, re.MULTILINE)) == offered
    assert "`/openapi.json` describes the parameters" in README


def test_hooks_and_names_all_have_a_heading_in_the_reference() -> None:
    reference = (ROOT / "docs/reference.md").read_text("utf-8")
    hooks = [name for name, hook in vars(hookspecs).items() if hasattr(hook, "agentic_spec")]
    headings = re.findall(r"^### (\w+)$", reference, re.MULTILINE)
    assert headings == [*hooks, *agentic.__all__, *services.__all__, *workers.__all__]


def test_files_and_folders_that_are_named_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    folders = re.findall(r"^\| `([\w/]+/)` \|", README, re.MULTILINE)
    assert links and folders
    assert [path for path in (*links, *folders) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z][A-Z_]{4,})(?:=[^`]*)?`", README))))
def test_settings_that_the_text_names_exist(name: str) -> None:
    clients = {"OPENAI_BASE_URL", "OPENAI_API_KEY"}
    assert name in clients or f"| `{name}` |" in README
