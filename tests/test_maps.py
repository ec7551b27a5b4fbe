"""The maps that folders of the kernel give of themselves."""

from __future__ import annotations

import re
from pathlib import Path

import agentic.runtime


def test_runtime_names_each_of_its_modules_and_no_other() -> None:
    text = agentic.runtime.__doc__ or ""
    listed = [name for row in re.findall(r"^\| ([a-z_, ]+) \|", text, re.M) for name in row.split(", ")]
    [others] = re.findall(r"What goes on where.*", text, re.S)
    listed += [name for name in re.findall(r"[a-z]+", others) if (_folder() / f"{name}.py").exists()]
    assert sorted(set(listed) - {"module"}) == sorted(path.stem for path in _folder().glob("[!_]*.py"))


def _folder() -> Path:
    return Path(agentic.runtime.__file__).parent
