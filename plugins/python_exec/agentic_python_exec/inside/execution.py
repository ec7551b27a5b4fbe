"""Running code as ``python program.py`` would, and a little more: the last expression is echoed, figures are kept."""

from __future__ import annotations

import ast
import atexit
import contextlib
import errno
import io
import linecache
import sys
import threading
import traceback
import types
from pathlib import Path
from typing import Any

from .folder import Folder

NAME = "program.py"
FAILED, OUT_OF_MEMORY, OUT_OF_DISK = 1, 117, 118
"""Exit codes of a program that raised: anything, MemoryError, an OSError for want of space."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FRAMES = 12
_DEFINED = (types.ModuleType, types.FunctionType)


def execute(code: str, folder: Folder) -> int:
    """Run the code as ``__main__`` on the descriptors 0, 1 and 2; the exit code."""
    sys.stdin = io.TextIOWrapper(io.FileIO(0, "r", closefd=False), "utf-8")
    # By lines, so that what was said before a sudden end is not lost.
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
    status, main = 0, types.ModuleType("__main__")
    try:
        try:
            _run_as_main(code, main)
        except SystemExit as leaving:
            status = _exit_code(leaving)
        # As the interpreter does at its end: this has pools of threads end, and waits for the others.
        threading._shutdown()  # type: ignore[attr-defined]
        save_figures(folder)
    except BaseException as error:  # noqa: BLE001 - told to whoever reads the output
        status = _told(error)
    _let_go(main.__dict__)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    return status


def watch_figures(folder: Folder) -> None:
    """Have pyplot know which figures the program has saved itself, and keep those that it shows."""
    from matplotlib import pyplot  # type: ignore[import-not-found,unused-ignore]
    from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]

    saving = Figure.savefig

    def savefig(self: Any, *arguments: Any, **options: Any) -> Any:
        done = saving(self, *arguments, **options)
        self._is_saved = True
        return done

    def show(*_arguments: Any, **_options: Any) -> None:
        save_figures(folder)
        pyplot.close("all")

    setattr(Figure, "savefig", savefig)  # noqa: B010 - a checker of types would not have it
    pyplot.show = show


def save_figures(folder: Folder) -> None:
    """Keep the figures that are open, hold something and were not saved, as ``figure_N.png``.

    Raises what the first one raises that cannot be drawn, after the others.
    """
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    fault: Exception | None = None
    for number in pyplot.get_fignums():
        figure = pyplot.figure(number)
        if getattr(figure, "_is_saved", False) or not (figure.axes or figure.texts or figure.images):
            continue
        taken = sum(1 for _ in Path(folder.figures).iterdir())
        try:
            figure.savefig(f"{folder.figures}/figure_{taken + 1}.png")
        except Exception as error:  # noqa: BLE001 - raised below
            fault = fault or error
    if fault is not None:
        raise fault


def _run_as_main(code: str, main: types.ModuleType) -> None:
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    sys.argv = [NAME]
    # Tracebacks show the program's own lines.
    linecache.cache[NAME] = (len(code), None, code.splitlines(keepends=True), NAME)
    tree = ast.parse(code, NAME)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, NAME, "exec", dont_inherit=True), main.__dict__)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), NAME, "eval", dont_inherit=True), main.__dict__)
        if not _is_drawn(value):
            sys.displayhook(value)


def _is_drawn(value: Any) -> bool:
    """Whether it is a part of a figure, which is seen, not read."""
    one = value[0] if isinstance(value, (list, tuple)) and value else value
    return type(one).__module__.partition(".")[0] == "matplotlib"


def _exit_code(leaving: SystemExit) -> int:
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    print(leaving.code, file=sys.stderr)  # noqa: T201 - as Python itself does
    return FAILED


def _let_go(names: dict[str, Any]) -> None:
    """Do what the program wished to have done at its end, and let its names go, so that its open files are written."""
    # What goes wrong in any of these is printed where it happens, and changes no exit code.
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    values = [name for name, value in names.items() if not isinstance(value, (*_DEFINED, type))]
    for name in values:
        # First, since what they do at their end needs the others.
        names.pop(name, None)
    names.clear()


def _told(error: BaseException) -> int:
    """Print the traceback, from the program's first line on; the exit code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != NAME:
        trace = trace.tb_next
    with contextlib.suppress(Exception):
        traceback.print_exception(type(error), error, trace, limit=-_FRAMES)
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.errno in _FULL:
        return OUT_OF_DISK
    return FAILED
