"""Plugins differ in content, never in shape: every folder of ``plugins/`` is held to the one shape."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import agentic
from agentic.catalog.environment import environment_name
from agentic.catalog.load import load
from agentic.catalog.settings import Settings, read_settings

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
OPEN_TO_PLUGINS = ("agentic.testing", "agentic.interop", "agentic.services", "agentic.workers")
LONGEST_MODULE, LONGEST_FUNCTION = 300, 40

every_plugin = pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)


def project_of(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))


def package_of(folder: Path) -> Path:
    return folder / f"agentic_{folder.name}"


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports(module: Path) -> Iterator[tuple[str, str]]:
    """Every absolute import within a module as (module, name); the name is empty for a plain import."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.module, alias.name) for alias in node.names)


def settings_of(name: str) -> list[str]:
    """The environment names of a plugin's settings."""
    found = next(plugin for plugin in load(read_settings()).plugins if plugin.name == name)
    kind = found.settings_type
    return [environment_name(kind, field) for field in kind.model_fields] if kind else []


def is_hook(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and [ast.unparse(mark) for mark in node.decorator_list] == ["hookimpl"]


def is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def test_there_are_plugins() -> None:
    assert PLUGINS


@every_plugin
def test_project_names_follow_from_the_folder(folder: Path) -> None:
    project = project_of(folder)
    assert project["project"]["name"] == f"agentic-plugin-{folder.name.replace('_', '-')}"
    assert project["project"]["entry-points"] == {"agentic": {folder.name: f"agentic_{folder.name}"}}
    assert project["tool"]["uv"]["build-backend"] == {"module-name": f"agentic_{folder.name}", "module-root": ""}


@every_plugin
def test_project_tells_what_it_is_and_needs_the_kernel(folder: Path) -> None:
    project = project_of(folder)["project"]
    assert set(project) >= {"name", "version", "description", "readme", "license", "requires-python", "dependencies"}
    assert project["description"] and not project["description"].endswith(".")
    assert project["readme"] == "README.md"
    assert (project["license"], project["requires-python"]) == ("Apache-2.0", PROJECT["project"]["requires-python"])
    assert project["version"] == PROJECT["project"]["version"], "all are released together"
    assert "agentic-server" in [need.partition("[")[0] for need in project["dependencies"]]
    assert not [need for need in project["dependencies"] if need.startswith("agentic-plugin-")]
    assert project_of(folder)["build-system"] == PROJECT["build-system"]


@every_plugin
def test_package_holds_hooks_alone_in_its_first_file(folder: Path) -> None:
    first = ast.parse((package_of(folder) / "__init__.py").read_text("utf-8"))
    assert ast.get_docstring(first), "say what the plugin is"
    others = [
        ast.unparse(node).splitlines()[0]
        for node in first.body
        if not (isinstance(node, (ast.Import, ast.ImportFrom)) or is_docstring(node) or is_hook(node))
    ]
    assert others == [], "settings belong into settings.py, everything else into modules named for what they hold"


@every_plugin
def test_hooks_are_documented(folder: Path) -> None:
    body = ast.parse((package_of(folder) / "__init__.py").read_text("utf-8")).body
    hooks = [node for node in body if isinstance(node, ast.FunctionDef)]
    assert hooks
    assert [hook.name for hook in hooks if not ast.get_docstring(hook)] == []


@every_plugin
def test_code_imports_what_authors_may_import_and_no_other_plugin(folder: Path) -> None:
    own = package_of(folder).name
    for module in modules(package_of(folder)):
        for source, name in imports(module):
            top = source.partition(".")[0]
            place = f"{module.relative_to(ROOT)} imports {source} {name}".strip()
            assert top == own or not top.startswith("agentic_"), f"{place}, another plugin"
            if top == "agentic" and not source.startswith(OPEN_TO_PLUGINS):
                assert source == "agentic" and (name in agentic.__all__ or name in ("testing", "interop", "")), place


@every_plugin
def test_tests_are_there_and_know_no_other_plugin(folder: Path) -> None:
    own = package_of(folder).name
    tests = sorted((folder / "tests").glob("test_*.py"))
    assert tests
    assert not (folder / "tests" / "__init__.py").exists()
    strangers = {
        f"{module.name}: {source}"
        for module in modules(folder / "tests")
        for source, _ in imports(module)
        if source.startswith("agentic_") and source.partition(".")[0] != own
    }
    assert strangers == set()


@every_plugin
def test_tests_run_the_kit_of_each_port(folder: Path) -> None:
    text = "\n".join(path.read_text("utf-8") for path in modules(folder / "tests"))
    kits = {
        "agentic_tools": "ToolConformance",
        "agentic_agents": "AgentConformance",
        "agentic_routers": "RouterConformance",
        "agentic_model_providers": "ProviderConformance",
        "agentic_embedders": "EmbedderConformance",
        "agentic_storage_backends": "StorageConformance",
        "agentic_blob_stores": "BlobConformance",
        "agentic_document_readers": "DocumentReaderConformance",
        "agentic_vector_stores": "VectorStoreConformance",
        "agentic_text_indexes": "TextIndexConformance",
        "agentic_logins": "LoginConformance",
    }
    first = (package_of(folder) / "__init__.py").read_text("utf-8")
    owed = {kit for hook, kit in kits.items() if f"def {hook}(" in first}
    assert owed, "a plugin offers something that has a kit"
    assert {kit for kit in owed if f"({kit})" not in text} == set()


@every_plugin
def test_readme_has_an_example_and_each_setting(folder: Path) -> None:
    readme = (folder / "README.md").read_text("utf-8")
    assert readme.startswith(f"# {project_of(folder)['project']['name']}\n")
    assert "```" in readme, "show an example"
    assert re.search(r"\bsettings?\b", readme, re.IGNORECASE), "tell the settings, or that there are none"
    listed = set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)`", readme, re.MULTILINE))
    kernels = {environment_name(Settings, field) for field in Settings.model_fields}
    own = set(settings_of(folder.name))
    assert own <= listed, "each setting has a row"
    assert listed - own <= kernels, "no row for what is no setting"


def test_names_of_tests_are_unique_in_the_repository() -> None:
    places = [path for top in ("tests", "plugins", "examples") for path in (ROOT / top).rglob("test_*.py")]
    twice = [name for name, times in Counter(path.name for path in places).items() if times > 1]
    assert twice == []


def test_default_plugins_are_the_same_for_uv_and_for_pip() -> None:
    group = PROJECT["dependency-groups"]["default"]
    assert group == PROJECT["project"]["optional-dependencies"]["default"]
    assert set(group) <= {project_of(folder)["project"]["name"] for folder in PLUGINS}
    assert set(group) <= set(PROJECT["tool"]["uv"]["sources"])
    assert not [need for need in PROJECT["project"]["dependencies"] if need.startswith("agentic-plugin-")]


def test_modules_and_functions_stay_small() -> None:
    long = []
    for top in (ROOT / "agentic", *map(package_of, PLUGINS)):
        for module in modules(top):
            text = module.read_text("utf-8")
            place = str(module.relative_to(ROOT))
            if text.count("\n") > LONGEST_MODULE:
                long.append(place)
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    long += [f"{place}: {node.name}, {lines} lines"] * (lines > LONGEST_FUNCTION)
    assert long == []
