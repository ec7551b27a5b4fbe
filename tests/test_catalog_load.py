"""Plugins that are broken in every way we know, as real distributions: each is set aside alone, with its fix."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentic.catalog.catalog import Catalog, Plugin
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings

Install = Callable[..., None]

GOOD = """
from agentic import hookimpl, tool

@tool(examples=["Greet Ann"])
async def greet(who: str) -> str:
    '''Greet somebody.'''
    return "Hello " + who

@hookimpl
def agentic_tools():
    return greet
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution of one module, with its entry point, on a path of its own."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)

    def install(name: str, source: str, *, distribution: str = "", requires: str = "", entry: str = "") -> None:
        distribution = distribution or f"agentic-plugin-{name}"
        folder = tmp_path / distribution
        info = folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        module = f"fake_{distribution.replace('-', '_')}"
        (folder / f"{module}.py").write_text(textwrap.dedent(source))
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        (info / "METADATA").write_text(metadata + (f"Requires-Dist: {requires}\n" if requires else ""))
        (info / "entry_points.txt").write_text(f"[agentic]\n{name} = {entry or module}\n")
        monkeypatch.syspath_prepend(str(folder))

    yield install
    for module in set(sys.modules) - before:
        if module.startswith("fake_"):
            del sys.modules[module]


def loaded(*names: str, **settings: object) -> Catalog:
    """The catalog of these plugins alone: what else is installed is no business of these tests."""
    return load(read_settings(**settings), only=names)


def set_aside(catalog: Catalog, name: str) -> Plugin:
    (plugin,) = [one for one in catalog.plugins if one.name == name]
    assert plugin.state == "quarantined"
    assert plugin.capabilities == []
    return plugin


FAULTS = {
    "missing_module": (
        "import no_such_thing",
        "no module named 'no_such_thing'",
        "Ask the authors of agentic-plugin-broken",
    ),
    "missing_part": (
        "from fake_agentic_plugin_broken.part import x",
        "own module 'fake_agentic_plugin_broken.part' is not there",
        "pip install --force-reinstall agentic-plugin-broken",
    ),
    "newer_kernel": ("import agentic.not_yet", "imports 'agentic.not_yet'", "pip install --upgrade agentic-server"),
    "syntax": ("def (:", "its source has a syntax error", "Correct it"),
    "raises": ("1 / 0", "its import raised ZeroDivisionError: division by zero", "pip install --upgrade"),
    "exits": ("raise SystemExit(3)", "its import raised SystemExit: 3", "pip install --upgrade"),
    "signature": (
        "@hookimpl\ndef agentic_tools(setings): ...",
        "hook agentic_tools has a wrong signature: Argument(s) {'setings'}",
        "it may ask for: settings",
    ),
    "unknown_hooks": (
        "@hookimpl\ndef agentic_tool(): ...\n@hookimpl\ndef zzz(): ...",
        "unknown hooks: agentic_tool, zzz",
        "Rename agentic_tool to agentic_tools, remove zzz or update agentic-server",
    ),
    "wrapper": (
        "@hookimpl(wrapper=True)\ndef agentic_tools():\n    return (yield)",
        "hook agentic_tools is a wrapper",
        "Write a plain hook",
    ),
    "settings_class": (
        "@hookimpl\ndef agentic_settings(): return {}",
        "hook agentic_settings returned a dict",
        "pydantic.BaseModel",
    ),
    "settings_raise": ("@hookimpl\ndef agentic_settings(): 1 / 0", "agentic_settings raised ZeroDivisionError", "Run"),
    "settings_value": (
        "class S(BaseModel):\n    broken_days: int = 3\n@hookimpl\ndef agentic_settings(): return S",
        "invalid setting BROKEN_DAYS: input should be a valid integer",
        "Set for example BROKEN_DAYS=3",
    ),
    "settings_missing": (
        "class S(BaseModel):\n    broken_url: str\n@hookimpl\ndef agentic_settings(): return S",
        "invalid setting BROKEN_URL: it is required and not set",
        "Correct BROKEN_URL",
    ),
    "hook_raises": (
        "@hookimpl\ndef agentic_tools(): raise OSError('no http://me:pw@host\\nmore')",
        "agentic_tools raised OSError: no http://…@host",
        "agentic-plugin-broken",
    ),
    "generator_raises": (
        "@hookimpl\ndef agentic_tools():\n    yield from ()\n    1 / 0",
        "raised ZeroDivisionError",
        "Run",
    ),
    "lazy_import": (
        "@hookimpl\ndef agentic_tools(): import no_such_thing",
        "no module named 'no_such_thing'",
        "Ask the authors of",
    ),
    "wrong_thing": ("@hookimpl\ndef agentic_tools(): return 'greet'", "agentic_tools returned a str", "agentic.Tool"),
    "wrong_item": ("@hookimpl\ndef agentic_agents(): return [3]", "agentic_agents returned a int", "agentic.Agent"),
    "class_returned": ("@hookimpl\ndef agentic_tools(): return T", "returned the class T", "Return an instance: T()"),
    "async_hook": ("@hookimpl\nasync def agentic_tools(): ...", "hook agentic_tools is async", "Write it with def"),
    "no_name": ("@hookimpl\ndef agentic_tools(): return T()", "tool of class T has no name", "such as my_tool"),
    "bad_name": ("T.name = 'Grüß'\n@hookimpl\ndef agentic_tools(): return T()", "'Grüß' is not allowed", "Rename it"),
    "bad_unready": (
        "@hookimpl\ndef agentic_tools(): return NotConfigured('A B', 'x')",
        "name 'A B' is not allowed",
        "Rename it",
    ),
    "no_description": (
        "T.name = 't'\n@hookimpl\ndef agentic_tools(): return T()",
        "tool t has no description",
        "Give it one",
    ),
    "no_method": (
        "class U(Tool): name, description, args = 'u', 'U', {}\n@hookimpl\ndef agentic_tools(): return U()",
        "tool u has no method run",
        "Write U.run",
    ),
    "no_hook": ("x = 1", "its module has no hook", "let its entry point name another module"),
    "zero_byte": ("x = 1\0", "its import raised SyntaxError", "pip install --upgrade agentic-plugin-broken"),
    "no_mark": (
        "def agentic_tools(): return T()",
        "its function agentic_tools is not marked as a hook",
        "Put @hookimpl, from agentic, above agentic_tools",
    ),
    "bare_function": (
        "async def roll(): ...\n@hookimpl\ndef agentic_tools(): return roll",
        "agentic_tools returned a function",
        "Put @tool() above it, or return instances of subclasses of agentic.Tool",
    ),
    "name_of_another_version": (
        "from agentic import Toolbelt",
        "its import failed with this version of agentic-server: cannot import name 'Toolbelt' from 'agentic'",
        "Run: pip install --upgrade agentic-server agentic-plugin-broken",
    ),
    "sync_method": (
        "class U(Tool):\n    name, description, args = 'u', 'U', {}\n    def run(self, args, ctx): ...\n"
        "@hookimpl\ndef agentic_tools(): return U()",
        "the method run of tool u is not async",
        "Write it as `async def run`",
    ),
    "async_method": (
        "class A(Agent):\n    name, description = 'a', 'A'\n    async def bid(self, task): ...\n"
        "    async def run(self, run): ...\n@hookimpl\ndef agentic_agents(): return A()",
        "the method bid of agent a is async",
        "Write it as `def bid`",
    ),
    "other_parameters": (
        "class U(Tool):\n    name, description, args = 'u', 'U', {}\n    async def run(self): ...\n"
        "@hookimpl\ndef agentic_tools(): return U()",
        "the method run of tool u does not take (self, args, ctx)",
        "Write async def run(self, args, ctx)",
    ),
    "reader_of_nothing": (
        "class R(DocumentReader):\n    name = 'r'\n    def recognise(self, head, name): ...\n"
        "    def read(self, path): ...\n@hookimpl\ndef agentic_document_readers(): return R()",
        "the media_types of document reader r are no tuple of media types",
        'Write media_types = ("text/x-recipe",)',
    ),
    "reader_within_a_function": (
        "@hookimpl\ndef agentic_document_readers():\n    class R(DocumentReader):\n        name = 'r'\n"
        "        media_types = ('text/x-r',)\n        def recognise(self, head, name): ...\n"
        "        def read(self, path): ...\n    return R()",
        "of document reader r does not lie at the top of its module",
        "Move it there: a process of its own imports it",
    ),
    "reader_with_arguments": (
        "class R(DocumentReader):\n    name, media_types = 'r', ('text/x-r',)\n    def __init__(self, size): ...\n"
        "    def recognise(self, head, name): ...\n    def read(self, path): ...\n"
        "@hookimpl\ndef agentic_document_readers(): return R(3)",
        "the class R of document reader r cannot be made without arguments",
        "Leave them out",
    ),
    "bad_rank": (
        "T.name, T.description, T.rank = 't', 'T', 'top'\n@hookimpl\ndef agentic_tools(): return T()",
        "rank of tool t is no whole number",
        "Give it a rank",
    ),
    "bad_traits": (
        "T.name, T.description, T.traits = 't', 'T', {}\n@hookimpl\ndef agentic_tools(): return T()",
        "traits of tool t are no agentic.Traits",
        "Traits(...)",
    ),
    "bad_schema": (
        "T.name, T.description, T.args = 't', 'T', {'type': 'string'}\n@hookimpl\ndef agentic_tools(): return T()",
        "the schema's type is not 'object'",
        '{"type": "object"',
    ),
    "no_schema": (
        "class A(BaseModel):\n    f: Callable\nT.name, T.description, T.args = 't', 'T', A\n"
        "@hookimpl\ndef agentic_tools(): return T()",
        "arguments of tool t have no JSON Schema",
        "WithJsonSchema",
    ),
    "same_name_twice": (
        "T.name, T.description = 't', 'T'\n@hookimpl\ndef agentic_tools(): return [T(), T()]",
        "offers the tool 't' twice",
        "Rename one",
    ),
}
HEAD = """
from collections.abc import Callable
from pydantic import BaseModel
from agentic import Agent, DocumentReader, NotConfigured, Tool, hookimpl

class T(Tool):
    args = {"type": "object"}
    async def run(self, args, ctx):
        return ""
"""


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_plugin_is_set_aside_alone_with_cause_and_fix(
    fault: str, install: Install, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source, cause, fix = FAULTS[fault]
    monkeypatch.setenv("BROKEN_DAYS", "many")
    install("broken", f"{HEAD}\n{source}\n" if fault != "syntax" else source)
    install("works", GOOD)
    catalog = loaded("broken", "works")
    plugin = set_aside(catalog, "broken")
    assert cause in plugin.cause
    assert fix in plugin.fix
    assert list(catalog.tools()) == ["greet"]
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.getMessage() for record in warnings] == [f"[Catalog] Quarantine: {plugin}"]
    assert str(plugin).startswith("plugin broken (agentic-plugin-broken 1.2): ")


def test_a_person_may_interrupt_the_start(install: Install) -> None:
    install("broken", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        loaded("broken")


def test_missing_module_hint_uses_the_name_of_the_plugins_requirement(install: Install) -> None:
    install("broken", "import no_such_thing.part", requires="no-such-thing>=2; python_version > '3'")
    assert set_aside(loaded("broken"), "broken").fix == "Run: pip install no-such-thing"


def test_entry_point_to_nothing_is_set_aside(install: Install) -> None:
    install("broken", GOOD, entry="fake_nowhere")
    assert "own module 'fake_nowhere' is not there" in set_aside(loaded("broken"), "broken").cause


def test_two_distributions_of_one_plugin_name_are_both_set_aside(install: Install) -> None:
    install("greeter", GOOD, distribution="first-greeter")
    install("greeter", GOOD, distribution="second-greeter")
    catalog = loaded("greeter")
    assert [plugin.state for plugin in catalog.plugins if plugin.name == "greeter"] == ["quarantined"] * 2
    (cause,) = {plugin.cause for plugin in catalog.plugins if plugin.name == "greeter"}
    assert cause == "2 distributions bring a plugin named 'greeter': first-greeter 1.2, second-greeter 1.2"
    assert catalog.tools() == {}
    assert "fake_first_greeter" not in sys.modules


def test_second_owner_of_a_name_is_set_aside_whole_and_both_are_named(install: Install) -> None:
    agent = (
        "\nfrom agentic import Agent, Bid\nclass A(Agent):\n    name = description = 'a'\n"
        "    def bid(self, task): ...\n    async def run(self, run): ...\n@hookimpl\ndef agentic_agents(): return A()\n"
    )
    install("one", GOOD)
    install("two", GOOD + agent)
    catalog = loaded("one", "two")
    plugin = set_aside(catalog, "two")
    assert plugin.cause == "its tool 'greet' has the name of one that plugin one (agentic-plugin-one 1.2) offers"
    assert "AGENTIC_DISABLE=one" in plugin.fix
    assert [(one.name, one.plugin) for one in catalog.all("tool")] == [("greet", "one")]
    assert catalog.agents() == {}


def test_two_entry_points_of_one_module_load_it_once(install: Install) -> None:
    install("one", GOOD)
    install("two", "", entry="fake_agentic_plugin_one")
    assert "that of another plugin" in set_aside(loaded("one", "two"), "two").cause


def test_secret_settings_never_reach_cause_or_log(
    install: Install, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LEAKY_KEYS", '{"one": "tvly-verysecret"}')
    source = (
        "from pydantic import SecretStr\nclass S(BaseModel):\n    leaky_keys: dict[str, SecretStr]\n"
        "@hookimpl\ndef agentic_settings(): return S\n"
        "@hookimpl\ndef agentic_tools(settings):\n"
        "    raise ValueError(settings.leaky_keys['one'].get_secret_value() + ' is bad')\n"
    )
    install("leaky", HEAD + source)
    assert set_aside(loaded("leaky"), "leaky").cause == "its hook agentic_tools raised ValueError: … is bad"
    assert not any("verysecret" in record.getMessage() for record in caplog.records)


def test_disabled_plugin_is_not_imported_and_listed(install: Install) -> None:
    install("broken", "raise RuntimeError")
    catalog = loaded("broken", agentic_disable=["broken"])
    (plugin,) = [one for one in catalog.plugins if one.name == "broken"]
    assert (plugin.state, plugin.cause) == ("disabled", "AGENTIC_DISABLE names it")
    assert "fake_agentic_plugin_broken" not in sys.modules


def test_safe_mode_loads_only_what_it_names(install: Install) -> None:
    install("one", GOOD)
    install("broken", "raise RuntimeError")
    catalog = loaded("one")
    states = {plugin.name: plugin.state for plugin in catalog.plugins}
    assert (states["one"], states["broken"]) == ("active", "disabled")
    assert "fake_agentic_plugin_broken" not in sys.modules


def test_hook_is_given_the_arguments_it_asks_for(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOL_NAME", "from_environment")
    source = (
        "class S(BaseModel):\n    tool_name: str = 'x'\n@hookimpl\ndef agentic_settings(): return S\n"
        "@hookimpl\ndef agentic_model_providers(data_dir, settings=None): assert settings and data_dir.name == 'here'\n"
        "@hookimpl(optionalhook=True)\ndef agentic_hook_of_tomorrow(): ...\n"
        "@hookimpl\ndef agentic_tools(settings):\n"
        "    T.name, T.description = settings.tool_name, 'T'\n    yield T()\n    yield NotConfigured('u', 'Set U')\n"
    )
    install("one", HEAD + source)
    catalog = loaded("one", data_dir=Path("here"))
    assert list(catalog.tools()) == ["from_environment"]
    (plugin,) = [one for one in catalog.plugins if one.name == "one"]
    assert [(one.name, one.fix) for one in plugin.capabilities] == [("from_environment", ""), ("u", "Set U")]


def test_plugin_that_lacks_its_settings_is_not_configured(install: Install) -> None:
    install("one", HEAD + "@hookimpl\ndef agentic_tools(): return NotConfigured('search', 'Set SEARCH_KEY')")
    (plugin,) = [one for one in loaded("one").plugins if one.name == "one"]
    assert (plugin.state, plugin.fix) == ("not_configured", "Set SEARCH_KEY")


def test_what_a_plugin_prints_at_its_import_stands_in_no_answer(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("works", f"print('Thank you for importing me.'){GOOD}")
    assert loaded("works").tools()
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "Thank you for importing me.\n")
