"""What an import costs: in a fresh process, the kernel and its plugins bring in nothing heavy."""

import json
import subprocess
import sys
from pathlib import Path

HEAVY = [
    "aiohttp",
    "authlib",
    "bcrypt",
    "ddgs",
    "docx",
    "fastapi",
    "httpx",
    "joserfc",
    "langchain_core",
    "langgraph",
    "lxml",
    "numpy",
    "ollama",
    "onnxruntime",
    "prompt_toolkit",
    "pypdf",
    "pypdfium2",
    "starlette",
    "sympy",
    "tavily",
    "tenacity",
    "tokenizers",
    "trafilatura",
    "typer",
    "uvicorn",
    "xllamacpp",
]
REPORT = "import json, sys; print(json.dumps(sorted(name for name in sys.modules if '.' not in name)))"


def modules_after(program: str, folder: Path) -> set[str]:
    """The top-level modules that a fresh process holds once it has run ``program`` in ``folder``."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{REPORT}"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_agentic_brings_in_pluggy_and_pydantic_and_nothing_heavy(tmp_path: Path) -> None:
    held = modules_after("import agentic", tmp_path)
    assert {"pluggy", "pydantic"} <= held
    assert held & {*HEAVY, "orjson", "pydantic_settings", "rich"} == set()


def test_importing_the_client_of_services_brings_in_nothing_heavy(tmp_path: Path) -> None:
    held = modules_after("import agentic.services", tmp_path)
    assert held & {*HEAVY, "httpcore", "orjson", "pydantic_settings", "rich"} == set()


def test_loading_the_installed_plugins_imports_none_of_their_libraries(tmp_path: Path) -> None:
    program = (
        "from agentic.catalog.load import load; from agentic.catalog.settings import read_settings\n"
        "broken = [str(plugin) for plugin in load(read_settings()).plugins if plugin.state == 'quarantined']\n"
        "assert not broken, broken"
    )
    assert modules_after(program, tmp_path) & set(HEAVY) == set()


def test_the_command_line_brings_in_line_editing_for_a_conversation_alone(tmp_path: Path) -> None:
    assert "prompt_toolkit" not in modules_after("import agentic.cli.main, agentic.server.app", tmp_path)


def test_importing_reads_no_environment_and_starts_nothing(tmp_path: Path) -> None:
    program = (
        "import os, threading\n"
        "read = []\n"
        "get = os._Environ.__getitem__\n"
        "os._Environ.__getitem__ = lambda self, key: (read.append(key), get(self, key))[1]\n"
        "import agentic, agentic.catalog.load, agentic.logs\n"
        "from agentic.catalog.environment import environment_name\n"
        "from agentic.catalog.settings import Settings\n"
        "ours = {environment_name(Settings, field) for field in Settings.model_fields}\n"
        "assert not ours & set(read), read\n"
        "assert threading.active_count() == 1\n"
    )
    modules_after(program, tmp_path)
    assert list(tmp_path.iterdir()) == []
