"""What every command does where its output goes nowhere, and before it does anything at all."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer

from agentic import ModelError
from agentic.cli.output import print_json
from agentic.cli.with_kernel import with_kernel

AGENTIC = [sys.executable, "-m", "agentic"]


def run(*arguments: str, folder: Path, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        [*AGENTIC, *arguments], cwd=folder, env=env, stdout=stdout, stderr=-1, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", ["plugins list", "plugins list --json", "--help"])
def test_full_output_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(*command.split(), folder=tmp_path, stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr == "error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("command", ["plugins list", "plugins list --json"])
def test_reader_that_has_seen_enough_is_no_fault(tmp_path: Path, command: str) -> None:
    nobody, into = os.pipe()
    os.close(nobody)
    try:
        done = run(*command.split(), folder=tmp_path, stdout=into)
    finally:
        os.close(into)
    assert (done.returncode, done.stderr) == (1, "")


def test_json_can_be_held_by_every_file_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    title = "a\u202eb \x9b2J \x7f ä 😀"
    print_json({"title": title})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"title": title}
    assert printed.replace("\n", "").isascii() and printed.replace("\n", "").isprintable()


def test_error_in_the_words_of_a_model_server_steers_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def fails(kernel: Any) -> None:
        raise ModelError("It said: \x1b[2J\u202e")

    printed = io.StringIO()
    with pytest.raises(typer.Exit), redirect_stderr(printed):
        with_kernel(fails)
    assert printed.getvalue() == "error: It said: ␛[2J\\u202e\n"


def test_version_is_told_without_loading_a_plugin(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from agentic.cli.main import main\n"
        "sys.argv[1:] = ['--version']\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print([name for name in sys.modules if name.startswith(('agentic_', 'agentic.catalog'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"agentic {version('agentic-server')}", "[]"]


INTERRUPTING = """
import os, signal, sys

imported = sys.argv.pop(1)

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == imported:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from agentic_command import main
"""


@pytest.mark.parametrize("imported", ["agentic.messages", "typer", "agentic.cli.users", "agentic.catalog.load"])
def test_ctrl_c_before_the_command_is_at_work_leaves_no_trace(tmp_path: Path, imported: str) -> None:
    program = f"{INTERRUPTING}\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", program, imported, "plugins", "list"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_command_in_the_background_of_a_script_is_not_ended_by_its_ctrl_c(tmp_path: Path) -> None:
    program = f"{INTERRUPTING}\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", program, "typer", "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
