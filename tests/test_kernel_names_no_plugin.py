"""The kernel knows no plugin: none of their names, nor of what they offer, occurs in its code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import agentic
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings

KERNEL = Path(agentic.__file__).parent
REPOSITORY = KERNEL.parent
WORDS_OF_OTHERS = {
    "chat": "what OpenAI calls an endpoint, and what a model can do",
    "math": "a module of the standard library",
    "files": "part of the paths that OpenAI gives to uploads, and what answers of the API call what runs make",
    "sql": "a language",
    "web_search": "part of the name that OpenAI gives to an option of requests",
}
"""Names that are other people's words too: of these only a string that is nothing but the name counts, and not as a
field of an answer."""


def names() -> set[str]:
    """Plugins, and what they offer, as installed here."""
    installed = load(read_settings()).plugins
    offered = {capability.name for plugin in installed for capability in plugin.capabilities}
    folders = {path.parent.name for path in REPOSITORY.glob("plugins/*/pyproject.toml")}
    return {plugin.name for plugin in installed} | offered | folders


def modules() -> list[Path]:
    return [path for path in sorted(KERNEL.rglob("*.py")) if "testing" not in path.relative_to(KERNEL).parts]


def docstrings(tree: ast.Module) -> set[int]:
    """Ids of the nodes that document something."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    documents = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.lineno, node.value


def identifiers(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every name that the code gives or uses."""
    for node in ast.walk(tree):
        for field in ("id", "attr", "name", "arg", "module", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield getattr(node, "lineno", 0), value


def mentions(text: str, name: str) -> bool:
    """Whether the name stands in the text as words of its own, however they are joined."""
    loose = r"[-_. ]?".join(map(re.escape, name.split("_")))
    return re.search(rf"(?<![a-z0-9]){loose}(?![a-z0-9])", text, re.IGNORECASE) is not None


def fields(tree: ast.Module) -> set[tuple[int, str]]:
    """The keys that are written in dicts."""
    dicts = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    return {(key.lineno, key.value) for node in dicts for key in node.keys if isinstance(key, ast.Constant)}


def found_in(source: str, name: str) -> list[tuple[int, str]]:
    tree = ast.parse(source)
    if name in WORDS_OF_OTHERS:
        known = fields(tree) if name == "files" else set()
        return [one for one in strings(tree) if one[1].strip().lower() == name and one not in known]
    return [(line, text) for line, text in (*strings(tree), *identifiers(tree)) if mentions(text, name)]


@pytest.mark.parametrize("name", sorted(names()))
def test_kernel_does_not_name_it(name: str) -> None:
    places = [
        f"{path.relative_to(REPOSITORY)}:{line}: {text[:80]!r}"
        for path in modules()
        for line, text in found_in(path.read_text("utf-8"), name)
    ]
    assert places == []


@pytest.mark.parametrize(
    "source",
    [
        "if agent.name == 'chat': pass",
        "x = 'ask the weather_now tool'",
        "import weather_now",
        "x.weatherNow(weather_now=1)",
    ],
)
def test_the_search_finds_a_name_in_strings_and_identifiers(source: str) -> None:
    assert found_in(source, "chat") + found_in(source, "weather_now")


def test_the_search_leaves_docstrings_alone() -> None:
    assert found_in('"""Such as weather_now."""\nimport math', "weather_now") == []
    assert found_in("import math\nmath.log(2)", "math") == []
