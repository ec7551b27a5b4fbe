"""What every command does where its output goes nowhere, and before it does anything at all."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

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
