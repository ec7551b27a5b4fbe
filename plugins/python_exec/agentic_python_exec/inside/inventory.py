"""Makes a copied set of packages ready, and tells what an interpreter needs beside it.

``inventory.main(site, fonts, packages)`` runs outside of any sandbox, in the base interpreter, on installed files
alone: it imports the packages once, so that their compiled modules are written, has matplotlib list its own fonts, and
prints JSON: ``path`` (the folders of the standard library) and ``libraries`` (shared objects from elsewhere).
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_OFTEN = {
    "numpy": ("numpy.random", "numpy.linalg", "numpy.fft", "numpy.polynomial", "numpy.ma"),
    "pandas": ("pandas.io.parsers", "pandas.io.json", "pandas.plotting", "pandas.tseries.offsets"),
    "matplotlib.pyplot": ("matplotlib.backends.backend_agg", "matplotlib.dates", "matplotlib.animation"),
}
"""Modules that programs import, or that a first use imports, compiled beforehand too."""


class _Loaded(ctypes.Structure):
    _fields_ = (("address", ctypes.c_void_p), ("name", ctypes.c_char_p))


def main(site: str, fonts: str, packages: Iterable[str]) -> None:
    """Do it all, and print what was found."""
    folders = [path for path in sys.path if Path(path).is_dir() and path != str(Path(__file__).parents[1])]
    sys.path[:] = [*folders, site]
    os.environ.update(MPLBACKEND="Agg", MPLCONFIGDIR=fonts, OPENBLAS_NUM_THREADS="1")
    for package in packages:
        for module in (package, *_OFTEN.get(package, ())):
            importlib.import_module(module)
    if "matplotlib.pyplot" in sys.modules:
        _list_own_fonts(fonts)
        _draw_once()
    libraries = list(_libraries(folders, site))
    print(json.dumps({"path": folders, "libraries": libraries}))  # noqa: T201 - this is its answer


def _list_own_fonts(fonts: str) -> None:
    """Keep the list of the fonts that matplotlib brings; those of the machine are not to be seen in a sandbox."""
    from matplotlib import font_manager, get_data_path

    manager: Any = font_manager.fontManager
    own = get_data_path()
    manager.ttflist = [font for font in manager.ttflist if font.fname.startswith(own)]
    manager.afmlist = [font for font in manager.afmlist if font.fname.startswith(own)]
    shutil.rmtree(fonts)
    Path(fonts).mkdir()
    font_manager.json_dump(manager, f"{fonts}/fontlist-v{font_manager.FontManager.__version__}.json")


def _draw_once() -> None:
    import io

    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([1, 2], [3, 4], label="x")
    axes.legend()
    figure.savefig(io.BytesIO(), format="png")


def _libraries(folders: Iterable[str], site: str) -> Iterator[str]:
    """Shared objects that the interpreter, its modules and the packages load from other places, as the loader names
    them.
    """
    for folder in (*folders, site):
        for module in sorted(Path(folder).rglob("*.so*")):
            if not {"site-packages", "dist-packages"} & set(module.relative_to(folder).parts):
                with contextlib.suppress(OSError):
                    ctypes.CDLL(str(module), mode=os.RTLD_LAZY)
    with contextlib.suppress(OSError):
        # The C library loads it by itself when a thread ends.
        ctypes.CDLL("libgcc_s.so.1")
    for name in _names():
        inner = any(name.startswith(f"{folder}/") for folder in (*folders, site))
        if "/" in name and not inner:
            yield os.path.normpath(name)


def _names() -> list[str]:
    found: list[str] = []

    def note(loaded: Any, _size: int, _data: Any) -> int:
        found.append(os.fsdecode(loaded.contents.name or b""))
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Loaded), ctypes.c_size_t, ctypes.c_void_p)
    ctypes.CDLL(None).dl_iterate_phdr(kind(note), None)
    return found
