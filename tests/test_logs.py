"""The log: where it goes, and what never gets into it."""

import asyncio
import contextlib
import logging
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentic import logs
from agentic.catalog.settings import Settings, read_settings
from agentic.errors import ConfigurationError, StorageError, ToolError

SECRET = "the patient is called Smith"


@pytest.fixture(autouse=True)
def restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leaves the root logger as it was."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    level = root.level
    yield
    for handler in [one for one in root.handlers if isinstance(one, logs.SafeQueueHandler)]:
        handler.close()
    root.setLevel(level)


def settings(**values: Any) -> Settings:
    return read_settings(data_dir=Path("data"), **values)


@contextlib.contextmanager
def logging_to(found: list[str], **values: Any) -> Iterator[None]:
    """Logging to the file alone; at the end its text is put into ``found``."""
    close = logs.configure(settings(**values), console=False)
    yield
    close()
    found.append(Path("data/logs/app.log").read_text())


def log_error(error: BaseException, name: str = "agentic.somewhere") -> None:
    try:
        raise error
    except BaseException:
        logging.getLogger(name).exception("[Somewhere] Work: failed")


def _raise_group() -> None:
    raise ExceptionGroup(SECRET, [ValueError(SECRET), FileNotFoundError(2, "No such file", SECRET)])


def test_log_file_that_cannot_be_written_stops_the_start() -> None:
    Path("taken").write_text("")
    with pytest.raises(ConfigurationError, match=r"LOG_FILE: taken/app\.log cannot be written .*Example: LOG_FILE="):
        logs.configure(settings(log_file=Path("taken/app.log")))


def test_default_file_that_cannot_be_written_costs_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    Path("data").write_text("")
    logs.configure(settings())()
    told = capsys.readouterr().err
    assert "WARNING  agentic.logs: [Logs] File: data/logs/app.log cannot be written" in told
    assert "Make DATA_DIR writable, or set LOG_FILE" in told


def test_traceback_shows_frames_and_types_but_no_message() -> None:
    found: list[str] = []
    with logging_to(found):
        error = ToolError(SECRET)
        error.__cause__ = ValueError(SECRET)
        log_error(error)
    assert "Smith" not in found[0]
    assert "ValueError\nwhich caused:\n" in found[0]
    assert 'test_logs.py", line' in found[0]
    assert "in log_error\nagentic.errors.ToolError\n" in found[0]


def test_context_and_groups_of_errors_are_rendered_without_messages() -> None:
    found: list[str] = []
    with logging_to(found):
        try:
            try:
                raise KeyError(SECRET)
            except KeyError:
                _raise_group()
        except ExceptionGroup:
            logging.getLogger("agentic").exception("failed")
    assert "Smith" not in found[0]
    assert "KeyError\nduring whose handling came:\n" in found[0]
    assert "  with error 2 of 2:\n  FileNotFoundError: [Errno 2] No such file\n" in found[0]


def test_messages_of_errors_that_hold_no_content_are_shown() -> None:
    found: list[str] = []
    with logging_to(found):
        log_error(StorageError("the disk\nis full"))
    assert "agentic.errors.StorageError: the disk\\nis full\n" in found[0]


def test_log_content_lets_messages_in() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    found: list[str] = []
    with logging_to(found, log_content=True):
        log_error(ToolError(SECRET))
        log_error(Mute())
        logging.getLogger("httpx").info("GET %s", SECRET)
    assert f"ToolError: {SECRET}" in found[0]
    assert "Mute: (its message raises RuntimeError)" in found[0]
    assert f"httpx: GET {SECRET}" in found[0]


def test_error_that_causes_itself_ends() -> None:
    found: list[str] = []
    with logging_to(found):
        first, second = ValueError(), KeyError()
        first.__cause__, second.__cause__ = second, first
        log_error(first)
    assert found[0].count("ValueError") == 1


async def test_forgotten_task_does_not_tell_its_error() -> None:
    async def fail() -> None:
        raise ToolError(SECRET)

    found: list[str] = []
    with logging_to(found):
        task = asyncio.get_running_loop().create_task(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task
    assert "Task exception was never retrieved" in found[0]
    assert "agentic.errors.ToolError" in found[0]
    assert "Smith" not in found[0]


def test_text_cannot_begin_a_line_of_the_log() -> None:
    found: list[str] = []
    with logging_to(found):
        logging.getLogger("agentic").info("name %s", "x\r\n2026 INFO forged\x1b[2J\u2028")
    assert found[0].count("\n") == 1
    assert r"name x\r\n2026 INFO forged\x1b[2J\u2028" in found[0]


def test_arguments_that_do_not_fit_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    found: list[str] = []
    with logging_to(found):
        record = logging.LogRecord("agentic", logging.INFO, "x.py", 1, "one %d", (SECRET,), None)
        (handler,) = [one for one in logging.getLogger().handlers if isinstance(one, logs.SafeQueueHandler)]
        handler.handle(record)
    assert "one %d (the arguments do not fit)" in found[0]
    assert "Smith" not in found[0] + capsys.readouterr().err


def test_other_peoples_loggers_are_heard_from_warning_on() -> None:
    found: list[str] = []
    with logging_to(found, log_level="debug"):
        for name in ("httpx", "agentically", "agentic.x", "agentic_dice.tool", "uvicorn.access"):
            logging.getLogger(name).debug("quiet %s", name)
            logging.getLogger(name).warning("loud %s", name)
    assert found[0].count("loud") == 5
    assert [line.split()[-1] for line in found[0].splitlines() if "quiet" in line] == [
        "agentic.x",
        "agentic_dice.tool",
        "uvicorn.access",
    ]


def test_level_is_obeyed_and_lines_have_one_form() -> None:
    found: list[str] = []
    with logging_to(found, log_level="WARNING"):
        logging.getLogger("agentic.x").info("not this")
        logging.getLogger("agentic.x").error("this")
    stamp, level, name, message = found[0].split()
    assert (level, name, message) == ("ERROR", "agentic.x:", "this")
    assert stamp.endswith("Z") and len(stamp) == len("2026-01-01T00:00:00.000Z")


def test_configuring_twice_writes_once_and_closing_twice_does_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    first = logs.configure(settings())
    second = logs.configure(settings(log_file=Path("other.log")))
    logging.getLogger("agentic").warning("once")
    second()
    second()
    first()
    assert Path("other.log").read_text().count("once") == 1
    assert Path("data/logs/app.log").read_text() == ""
    assert capsys.readouterr().err.count("once") == 1
    assert not [one for one in logging.getLogger().handlers if isinstance(one, logs.SafeQueueHandler)]


def test_loggers_of_the_web_server_write_through_ours(capsys: pytest.CaptureFixture[str]) -> None:
    access = logging.getLogger("uvicorn.access")
    access.addHandler(logging.StreamHandler(sys.stderr))
    access.propagate = False
    close = logs.configure(settings())
    access.info('127.0.0.1 - "GET /health"')
    close()
    assert capsys.readouterr().err.count("GET /health") == 1


def test_file_is_rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 200)
    found: list[str] = []
    with logging_to(found):
        for number in range(40):
            logging.getLogger("agentic").info("line %d", number)
    assert sorted(one.name for one in Path("data/logs").iterdir()) == ["app.log"] + [
        f"app.log.{n}" for n in range(1, 6)
    ]
    assert "line 39" in found[0]


def test_log_moved_away_is_begun_anew_for_its_owner_alone() -> None:
    """As logrotate does, and any other process that writes to the same log."""
    file, old = Path("data/logs/app.log"), Path("data/logs/app.log.old")
    file.parent.mkdir(parents=True)
    target = logs.LogFile(file, maxBytes=10_000, encoding="utf-8")
    for number in range(3):
        target.emit(logging.makeLogRecord({"msg": f"line {number}"}))
        if number == 1:
            file.rename(old)
    target.close()
    assert (old.read_text(), file.read_text()) == ("line 0\nline 1\n", "line 2\n")
    assert {stat.S_IMODE(one.stat().st_mode) for one in (file, old)} == {0o600}


def test_log_that_cannot_be_written_is_told_once_and_goes_on_when_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    file = Path("data/logs/app.log")
    found: list[str] = []
    with logging_to(found):
        log = logging.getLogger("agentic")
        log.error("before")
        (handler,) = [one for one in logging.getLogger().handlers if isinstance(one, logs.SafeQueueHandler)]
        flush(handler)
        shutil.rmtree(file.parent)
        file.parent.write_text("in the way")
        for _ in range(3):
            log.error(SECRET)
        flush(handler)
        file.parent.unlink()
        file.parent.mkdir()
        log.error("after")
    assert "after" in found[0]
    said = capsys.readouterr().err
    assert said.count("app.log cannot be written") == 1
    assert SECRET not in said and "Traceback" not in said


def flush(handler: logs.SafeQueueHandler) -> None:
    """Have written what was logged so far."""
    assert handler.writer is not None
    handler.writer.stop()
    handler.writer.start()
