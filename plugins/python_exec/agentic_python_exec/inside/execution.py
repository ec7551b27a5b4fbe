"""Running code as ``python program.py`` would, and a little more: the last expression is echoed, figures are kept."""

from __future__ import annotations

import ast
import atexit
import contextlib
import errno
import io
import linecache
import mmap
import sys
import threading
import traceback
import types
from pathlib import Path
from typing import Any, Literal

from .folder import Folder

NAME = "program.py"
FAILED = 1
"""Exit code of a program that raised anything."""

Want = Literal["", "memory", "disk"]
"""What a program that raised was in want of: MemoryError, an OSError for want of space, or nothing of these."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FRAMES = 12
_SPARE = 16 * 1024 * 1024
"""Bytes kept back for telling what went wrong in a program that has used up all the others."""
_DEFINED = (types.ModuleType, types.FunctionType)


def execute(code: str, folder: Folder) -> tuple[int, Want]:
    """Run the code as ``__main__`` on the descriptors 0, 1 and 2; the exit code, and what it was in want of."""
    spare = mmap.mmap(-1, _SPARE)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, "r", closefd=False), "utf-8")
    # By lines, so that what was said before a sudden end is not lost.
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
    status, main = 0, types.ModuleType("__main__")
    want: Want = ""
    try:
        try:
            _run_as_main(code, main)
        except SystemExit as leaving:
            status = _exit_code(leaving)
        # As the interpreter does at its end: this has pools of threads end, and waits for the others.
        threading._shutdown()  # type: ignore[attr-defined]
        save_figures(folder)
    except BaseException as error:  # noqa: BLE001 - told to whoever reads the output
        spare.close()
        status, want = FAILED, _told(error)
    spare.close()
    _let_go(main.__dict__)
    for stream in (sys.stdout, sys.stderr):
        # As hostile as any object of the program: what it raises changes no exit code.
        with contextlib.suppress(BaseException):
            stream.flush()
    return status, want


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
    tree = _parsed(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, NAME, "exec", dont_inherit=True), main.__dict__)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), NAME, "eval", dont_inherit=True), main.__dict__)
        if not _is_drawn(value):
            sys.displayhook(value)


def _parsed(code: str) -> ast.Module:
    try:
        return ast.parse(code, NAME)
    except MemoryError:
        # So the parser says that its stack is full; no program is long enough to fill the memory.
        raise SyntaxError("the program is nested too deeply to be read") from None


def _is_drawn(value: Any) -> bool:
    """Whether it is a part of a figure, which is seen, not read."""
    one = value[0] if isinstance(value, (list, tuple)) and value else value
    return str(type(one).__module__).partition(".")[0] == "matplotlib"


def _exit_code(leaving: SystemExit) -> int:
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        # Not by the operator, which a class of the program's may have made its own.
        return int.__and__(leaving.code, 0xFF)
    print(leaving.code, file=sys.stderr)  # noqa: T201 - as Python itself does
    return FAILED


def _let_go(names: dict[str, Any]) -> None:
    """Do what the program wished to have done at its end, and let its names go, so that its open files are written."""
    # What goes wrong in any of these is printed where it happens, and changes no exit code.
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    with contextlib.suppress(RuntimeError):
        for name, value in names.items():
            # First, since what they do at their end needs the others; in place, since there may be no memory for a
            # list of them. One that makes new names at its end stops this, and all go at once.
            if not issubclass(type(value), (*_DEFINED, type)):
                names[name] = None
                del value
    names.clear()


def _told(error: BaseException) -> Want:
    """Print the traceback, from the program's first line on; what the program was in want of."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != NAME:
        trace = trace.tb_next
    with contextlib.suppress(Exception):
        # Without memory one failure leads to the next, none of which is the program's.
        chain = not isinstance(error, MemoryError)
        traceback.print_exception(type(error), error, trace, limit=-_FRAMES, chain=chain)
    if isinstance(error, MemoryError):
        return "memory"
    return "disk" if isinstance(error, OSError) and error.errno in _FULL else ""
