"""The command line as people and scripts use it, in processes of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic.testing.ollama import ScriptedModel, ScriptedOllama, calls, cuts, fails, says
from agentic.testing.server import Server, own_environment, run_agentic, running_server
from tests.http_fixtures import BROKEN, LOOKUP, Api, install

Command = subprocess.CompletedProcess[str]


class Shell:
    """``agentic`` in a folder of its own, over a scripted Ollama."""

    def __init__(self, env: dict[str, str], folder: Path, ollama: ScriptedOllama) -> None:
        self.env = env
        self.folder = folder
        self.ollama = ollama

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> Command:
        return run_agentic(*arguments, env={**self.env, **env}, folder=self.folder, stdin=stdin)


@pytest.fixture
def agentic(tmp_path: Path, empty_data: Path) -> Iterator[Shell]:
    ollama = ScriptedOllama([ScriptedModel("qwen3:8b"), ScriptedModel("small", modified_at="2020-01-01T00:00:00Z")])
    path = [install(tmp_path, "lookup", LOOKUP)]
    with ollama.running() as url:
        env = own_environment({"OLLAMA_HOST": url}, data_dir=empty_data, path=path)
        yield Shell(env, tmp_path, ollama)


def test_ask_says_what_failed_and_how_to_mend_it(agentic: Shell) -> None:
    away = agentic("ask", "hello", OLLAMA_HOST="http://127.0.0.1:9")
    assert (away.returncode, away.stdout) == (1, "")
    assert "ollama serve" in away.stderr
    assert "Traceback" not in away.stderr
    for options, told in [
        (("--agent", "nobody"), "no agent 'nobody'"),
        (("--model", "gpt-9"), "ollama pull gpt-9"),
        (("--user", "nobody"), "agentic users list"),
        (("--agent", "chat", "--model", "agentic/react"), "leave one out"),
    ]:
        refused = agentic("ask", "hello", *options)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert told in refused.stderr


def test_ask_keeps_partial_answers_of_a_failure(agentic: Shell) -> None:
    agentic.ollama.script(cuts(after=2))
    done = agentic("ask", "hello", "--agent", "chat")
    assert (done.returncode, done.stdout) == (1, "word1 word2 \n")
    assert "broke off" in done.stderr


def test_ask_tells_errors_as_json_where_json_is_asked_for(agentic: Shell) -> None:
    agentic.ollama.script(fails(500, "llama runner has died"))
    done = agentic("ask", "hello", "--json")
    assert done.returncode == 1
    assert "llama runner has died" in json.loads(done.stdout)["error"]["message"]


def test_ask_puts_steps_on_stderr_and_the_answer_on_stdout(agentic: Shell) -> None:
    agentic.ollama.script(calls(("lookup", {"what": "tower"})), "It is 324 m.")
    done = agentic("ask", "How high is the tower?", "--agent", "react")
    assert (done.returncode, done.stdout) == (0, "It is 324 m.\n")
    assert "agent react" in done.stderr
    assert '→ lookup(what="tower")' in done.stderr
    assert "← tower: 324 m" in done.stderr


def test_ask_gives_the_whole_answer_as_json(agentic: Shell) -> None:
    agentic.ollama.script(calls(("lookup", {"what": "tower"})), "It is 324 m.")
    done = agentic("ask", "How high is the tower?", "--agent", "react", "--model", "small", "--json")
    body = json.loads(done.stdout)
    assert body["choices"][0]["message"]["content"] == "It is 324 m."
    assert body["model"] == "agentic/react@small"
    assert body["agentic"]["steps"][0]["type"] == "tool_call_started"
    assert {chat["model"] for chat in agentic.ollama.chats} == {"small:latest"}


def test_ask_reads_the_question_from_stdin(agentic: Shell) -> None:
    assert agentic("ask", "-", stdin="hello from a file").stdout == "You said: hello from a file\n"


@pytest.mark.parametrize(
    ("command", "answered", "told"),
    [
        ("printf 'caf\\xe9 \\xff' | {} -", "You said: caf\ufffd \ufffd\n", ""),
        ("PYTHONIOENCODING=latin-1 {} 'a √'", "You said: a \\u221a\n", ""),
        ("{} ''", "", "error: the question is empty"),
        ("printf '  \\n' | {} -", "", "error: the question is empty"),
        ("{} - <&-", "", "error: there is no standard input to read the question from"),
        ("{} hello 2>&-", "You said: hello\n", ""),
    ],
)
def test_odd_questions_and_streams_are_met(agentic: Shell, command: str, answered: str, told: str) -> None:
    line = command.format(f"{sys.executable} -m agentic ask --agent chat")
    done = subprocess.run(
        ["bash", "-c", line], env=agentic.env, cwd=agentic.folder, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == (answered, 1 if told else 0)
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1:] == [told] if told else "error" not in done.stderr


def test_default_model_is_what_ask_uses(agentic: Shell) -> None:
    agentic("ask", "hello", DEFAULT_MODEL="small")
    assert agentic.ollama.chats[-1]["model"] == "small:latest"


def test_what_is_asked_belongs_to_the_only_admin_or_the_one_named(
    agentic: Shell, data: Path, keys: dict[str, str]
) -> None:
    agentic("ask", "as the admin")
    agentic("ask", "as bob", "--user", "bob")
    with running_server(agentic.env, data_dir=data) as server:
        for name, title in {"ann": "as the admin", "bob": "as bob"}.items():
            with Api(server, keys[name]) as api:
                listed = api.get("/api/conversations").json()["conversations"]
            assert [conversation["title"] for conversation in listed] == [title]


def test_interrupted_ask_stops_the_model_and_fails(agentic: Shell) -> None:
    agentic.ollama.script(says("word " * 200, delay_s=0.1))
    command = [sys.executable, "-m", "agentic", "ask", "hello", "--agent", "chat"]
    with subprocess.Popen(
        command, env=agentic.env, cwd=agentic.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(5) == "word "
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=10)
    assert time.monotonic() - began < 3
    assert process.returncode != 0
    assert "Traceback" not in stderr


def test_doctor_names_every_fault_with_its_fix(agentic: Shell) -> None:
    broken = install(agentic.folder, "broken", BROKEN)
    path = f"{agentic.env['PYTHONPATH']}:{broken}"
    done = agentic("doctor", PYTHONPATH=path, OLLAMA_HOST="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "no module named 'no_such_thing'" in done.stdout
    assert "Ask the authors of" in done.stdout
    assert "ollama serve" in done.stdout
    assert "agentic users add NAME --role admin" in done.stdout
    assert "Traceback" not in done.stderr


def test_doctor_is_content_where_all_works(agentic: Shell, data: Path) -> None:
    done = agentic("doctor")
    assert done.returncode == 0, done.stdout
    assert "default model: qwen3:8b of ollama" in done.stdout
    assert "bad" not in done.stdout


def test_doctor_tells_of_storage_that_does_not_open(agentic: Shell) -> None:
    (agentic.folder / "data" / "agentic.db").write_bytes(b"this is no database at all, but long enough to be read" * 99)
    done = agentic("doctor")
    assert done.returncode == 1
    assert "not an SQLite database" in done.stdout
    assert "models of ollama: reached" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"SERVER_PORT": "many"}, "SERVER_PORT"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"STORAGE": "nowhere"}, "STORAGE"),
        ({"MAX_BODY_MB": "-1"}, "MAX_BODY_MB"),
    ],
)
def test_server_with_a_wrong_setting_does_not_start(agentic: Shell, setting: dict[str, str], told: str) -> None:
    done = agentic("serve", **setting)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_server_whose_port_is_taken_says_so(agentic: Shell) -> None:
    with running_server(agentic.env, data_dir=agentic.folder / "data") as server:
        done = agentic("serve", SERVER_PORT=server.environment["SERVER_PORT"])
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "address already in use. End what listens there, or choose another. Example: agentic serve --port" in line


def test_server_without_such_an_address_says_so(agentic: Shell) -> None:
    done = agentic("serve", "--host", "[::1]")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "error: SERVER_HOST: this machine has no address '[::1]'. Example: SERVER_HOST=127.0.0.1, or ::1"
    )


def test_first_start_says_which_command_makes_the_first_admin(agentic: Shell, server: Server) -> None:
    with running_server(agentic.env, data_dir=agentic.folder / "data") as first:
        assert "agentic users add NAME --role admin" in first.stderr
    assert "agentic users add" not in server.stderr


def test_safe_mode_loads_the_named_plugins_alone(agentic: Shell, data: Path, keys: dict[str, str]) -> None:
    names = ["--safe-mode", "chat,ollama,storage_sqlite"]
    with (
        running_server(agentic.env, data_dir=data, arguments=names) as server,
        Api(server, keys["ann"]) as api,
    ):
        ids = [model["id"] for model in api.get("/v1/models").json()["data"]]
        assert "agentic/react" not in ids
        assert api.chat().status_code == 200
