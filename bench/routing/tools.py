"""The tools that requests are judged against: the installed plugins' own, and stand-ins for those that are missing."""

from __future__ import annotations

import tomllib
from pathlib import Path

from agentic import ToolSpec
from agentic.assembly import spec_of
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings

STANDINS = Path(__file__).with_name("standins.toml")


def specs() -> list[ToolSpec]:
    """One spec a tool, installed ones first."""
    catalog = load(read_settings())
    installed = [spec_of(tool) for tool in catalog.tools().values()]
    names = {spec.name for spec in installed}
    written = tomllib.loads(STANDINS.read_text("utf-8"))
    return installed + [
        ToolSpec(name, tool["description"], {}, tuple(tool["examples"].strip().split("\n")))
        for name, tool in written.items()
        if name not in names
    ]
