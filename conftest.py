"""The watchdog of all tests: none may hang, not even where its time limit does not reach."""

import faulthandler
import os
from collections.abc import Generator
from threading import Timer

import pytest

# pytest-timeout lets go of a test that has failed once: its teardown, and the further tries, may take this much longer.
GRACE_SECONDS = 60.0
STDERR = pytest.StashKey[int]()
WATCHDOG = pytest.StashKey[Timer]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep a way to the terminal: while a test runs, pytest holds back what is written."""
    config.stash[STDERR] = os.dup(2)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Watch this attempt at a test, from its first fixture to the end of its last one."""
    marker = item.get_closest_marker("timeout")
    allowed = float(marker.args[0] if marker else item.config.getini("timeout"))
    watchdog = item.stash[WATCHDOG] = Timer(allowed + GRACE_SECONDS, give_up, (item,))
    watchdog.daemon = True
    watchdog.start()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Stop watching, whatever became of the test."""
    try:
        return (yield)
    finally:
        item.stash[WATCHDOG].cancel()


def give_up(item: pytest.Item) -> None:
    """Show where every thread stands and end the process: pytest-xdist starts another, and the test has failed."""
    stderr = item.config.stash[STDERR]
    os.write(stderr, f"\n{item.nodeid} hangs, and its process with it:\n".encode())
    faulthandler.dump_traceback(stderr, all_threads=True)
    os._exit(1)
