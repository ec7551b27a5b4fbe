"""Ctrl-C while the command line is still being imported."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "agentic.cli.doctor":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
signal.signal(signal.SIGINT, {handler})
sys.argv = ["agentic", "plugins", "--help"]
from agentic_command import main
main()
"""


def started(handler: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(handler=handler)], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(os.name == "nt", reason="there a process cannot send itself ctrl-C")
def test_ctrl_c_before_a_command_has_begun_ends_it_without_a_trace() -> None:
    done = started("signal.default_int_handler")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.skipif(os.name == "nt", reason="there a process cannot send itself ctrl-C")
def test_ctrl_c_that_is_not_for_the_command_does_nothing() -> None:
    """Such as that of a shell which has started it in the background."""
    done = started("signal.SIG_IGN")
    assert done.returncode == 0, done.stderr
    assert "Usage: agentic plugins" in done.stdout
