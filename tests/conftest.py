"""What all tests of the kernel share: a watch over the event loop, and the fixtures of the HTTP tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

pytest_plugins = ["tests.http_fixtures", "tests.modes_fixtures", "tests.document_fixtures", "tests.openai_fixtures"]

MAY_BLOCK = [
    # Its callers in the kernel give it a thread; these tests call it straight from the loop.
    ("tests/test_identity_tokens.py", "test_processes_that_make_the_secret_at_once_agree_on_it"),
    ("tests/test_logs.py", "logging_to"),
    # A traceback's source lines are read once, when a bug is logged.
    ("linecache.py", "updatecache"),
    ("linecache.py", "checkcache"),
    # A connection to PostgreSQL looks for certificates in the home folder.
    ("asyncpg/connect_utils.py", "_parse_connect_dsn_and_args"),
    # The loop's own end, and pytest's: threads are joined.
    ("asyncio/base_events.py", "shutdown_default_executor"),
]


@pytest.fixture(autouse=True)
def unblocked_loop() -> Iterator[BlockBuster]:
    """Fails a test in which the kernel blocks the event loop: the blocking call raises BlockingError there."""
    with blockbuster_ctx("agentic") as watch:
        for function in watch.functions.values():
            for file, name in MAY_BLOCK:
                function.can_block_in(file, name)
        yield watch
