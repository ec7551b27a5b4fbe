"""What plugin authors import: complete, sorted, documented, and in the layers that keep the kernel apart."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
import typing
from pathlib import Path
from types import ModuleType

import pytest

import agentic
from agentic import hookspecs

KERNEL = Path(agentic.__file__).parent
PORTS = [f"agentic.ports.{module.name}" for module in pkgutil.iter_modules([str(KERNEL / "ports")])]
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "agentic_spec")}
NOT_FOR_AUTHORS = {
    "Budget": "reached through Run",
    "Model": "reached through Run",
    "Tools": "reached through Run",
}
"""Ports that the kernel alone implements, and that authors meet as attributes."""


def exported() -> dict[str, object]:
    return {name: getattr(agentic, name) for name in agentic.__all__}


def test_all_names_exist_and_are_sorted() -> None:
    assert exported()
    assert agentic.__all__ == sorted(agentic.__all__, key=lambda name: (not name.isupper(), name))
    assert len(set(agentic.__all__)) == len(agentic.__all__)


def test_all_holds_every_public_name_of_the_module() -> None:
    public = {
        name for name, value in vars(agentic).items() if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(agentic.__all__)


@pytest.mark.parametrize("name", agentic.__all__)
def test_every_exported_class_and_function_says_what_it_is(name: str) -> None:
    value = getattr(agentic, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert (value.__doc__ or "").strip(), f"agentic.{name} has no docstring"


@pytest.mark.parametrize("module_name", PORTS)
def test_every_port_is_exported_or_reached_through_another(module_name: str) -> None:
    module = importlib.import_module(module_name)
    ports = {
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module_name and getattr(value, "_is_protocol", False)
    }
    assert ports - NOT_FOR_AUTHORS.keys() <= set(agentic.__all__)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_names_exported_types_and_is_documented(name: str) -> None:
    assert (inspect.getdoc(HOOKS[name]) or "").strip()
    returned = typing.get_type_hints(HOOKS[name])["return"]
    for kind in typing.get_args(returned):
        if inspect.isclass(kind) and kind.__module__.startswith("agentic"):
            assert kind.__name__ in agentic.__all__, f"{name} returns {kind.__name__}, which authors cannot import"


def test_every_module_of_the_kernel_says_what_it_is_for() -> None:
    silent = [str(path) for path in KERNEL.rglob("*.py") if not path.read_text("utf-8").lstrip().startswith('"""')]
    assert silent == []


@pytest.mark.skipif(not (KERNEL.parent / "pyproject.toml").exists(), reason="the contracts are in the repository")
def test_each_layer_imports_only_what_stands_below_it() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=KERNEL.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
