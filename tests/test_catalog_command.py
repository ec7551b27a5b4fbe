"""``agentic plugins``: what an operator reads, and what a program reads."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentic.catalog.catalog import Plugin
from agentic.cli.plugins import plugins

WORKS = '''
from pydantic import BaseModel, Field, SecretStr
from agentic import NotConfigured, hookimpl, tool

class Settings(BaseModel):
    demo_sides: int = Field(6, description="faces per die")
    demo_key: SecretStr = SecretStr("built-in")
    demo_url: str | None = None
    demo_list: list[str] = Field(default_factory=list)

@tool()
async def roll(sides: int = 6) -> str:
    """Roll a die.

    More of it."""
    return "1"

@hookimpl
def agentic_settings():
    return Settings

@hookimpl
def agentic_tools(settings):
    return [roll, NotConfigured("weigh", "Set DEMO_URL")]
'''


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two plugins as installed distributions: one works, one imports what is not there."""
    monkeypatch.chdir(tmp_path)
    for name, source in (("demo", WORKS), ("demo_broken", "import no_such_thing")):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (tmp_path / f"command_{name}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[agentic]\n{name} = command_{name}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("agentic.catalog.discovery.entry_points", _only_ours)
    monkeypatch.delitem(sys.modules, "command_demo", raising=False)


def _only_ours(group: str) -> list[object]:
    from importlib.metadata import entry_points

    return [entry for entry in entry_points(group=group) if entry.name.startswith("demo")]


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(plugins, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_broken_plugin_is_listed_with_its_fix() -> None:
    output = run("list")
    assert "plugin demo_broken (plugin-demo_broken 1.0): no module named 'no_such_thing'. " in output
    assert "Ask the authors of" in output
    assert "demo: weigh is not configured. Set DEMO_URL" in output
    assert output.count("no_such_thing") == 1


@pytest.mark.parametrize("command", ["list", "show demo_odd", "list --json"])
def test_signs_that_the_output_cannot_hold_are_written_as_escapes(tmp_path: Path, command: str) -> None:
    from agentic.cli.main import app

    info = tmp_path / "demo_odd-1.0.dist-info"
    info.mkdir()
    (tmp_path / "command_demo_odd.py").write_text("raise RuntimeError('\u2026')")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[agentic]\ndemo_odd = command_demo_odd\n")
    result = CliRunner(charset="latin-1").invoke(app, ["plugins", *command.split()])
    assert result.exit_code == 0, result.exception
    assert "its import raised RuntimeError: \\u2026" in result.stdout


def test_list_is_json_for_programs() -> None:
    works, broken = json.loads(run("list", "--json"))
    assert works == {
        "name": "demo",
        "distribution": "plugin-demo",
        "version": "1.0",
        "state": "active",
        "cause": "",
        "fix": "",
        "capabilities": [{"kind": "tool", "name": "roll"}, {"kind": "tool", "name": "weigh", "fix": "Set DEMO_URL"}],
    }
    assert (broken["state"], broken["fix"]) == ("quarantined", "Ask the authors of plugin-demo_broken what brings it")
    assert (broken["cause"], broken["capabilities"]) == ("no module named 'no_such_thing'", [])


def test_unknown_plugin_is_answered_with_near_names() -> None:
    assert "No plugin named 'dmo' is installed. Did you mean: demo" in run("show", "dmo", code=1)
    assert "Did you mean: demo, demo_broken?" in run("show", "zzz", code=1)


def test_wrong_kernel_setting_is_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_PORT", "x")
    assert run("list", code=1).startswith("SERVER_PORT: ")


def test_no_plugin_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentic.catalog.discovery.entry_points", lambda group: [])
    assert run("list") == "No plugin is installed. Example: pip install 'agentic-server[default]'\n"
    assert "None is installed" in run("show", "demo", code=1)
    assert json.loads(run("list", "--json")) == []


def test_show_tells_capabilities_and_settings_but_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_KEY", "verysecret")
    output = run("show", "demo")
    assert output.splitlines() == [
        "demo (plugin-demo 1.0)",
        "state: active",
        "offers:",
        "  tool roll: Roll a die.",
        "  tool weigh (not configured): Set DEMO_URL",
        "settings:",
        "  DEMO_SIDES (default 6, not set): faces per die",
        "  DEMO_KEY (default hidden, set)",
        "  DEMO_URL (no default, not set)",
        "  DEMO_LIST (default made at the start, not set)",
    ]


def test_show_of_a_wrongly_configured_plugin_tells_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_SIDES", "many")
    output = run("show", "demo")
    assert "state: quarantined\ncause: invalid setting DEMO_SIDES: " in output
    assert "fix: Set for example DEMO_SIDES=6\n" in output
    assert "  DEMO_SIDES (default 6, not read): faces per die" in output


def test_disabled_plugin_is_shown_with_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTIC_DISABLE", "demo_broken")
    output = run("show", "demo_broken")
    assert "state: disabled\ncause: AGENTIC_DISABLE names it\nfix: Take it out of AGENTIC_DISABLE" in output


def test_active_plugin_reads_as_one_line() -> None:
    assert str(Plugin("demo", "plugin-demo", "1.0")) == "plugin demo (plugin-demo 1.0): active"
