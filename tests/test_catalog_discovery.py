"""Distributions whose metadata is damaged: they hide no other plugin."""

from pathlib import Path

import pytest

from agentic.catalog.catalog import Plugin
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings
from agentic.errors import ConfigurationError

WELL = """
from agentic import hookimpl

@hookimpl
def agentic_tools():
    return ()
"""


@pytest.fixture(autouse=True)
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "discovered_well.py").write_text(WELL)
    distribution("well", b"[agentic]\nwell = discovered_well\n")


def distribution(
    name: str, entries: bytes, metadata: str | None = "Metadata-Version: 2.1\nName: {}\nVersion: 1.0\n"
) -> None:
    info = Path(f"{name}-1.0.dist-info")
    info.mkdir()
    (info / "entry_points.txt").write_bytes(entries)
    if metadata is not None:
        (info / "METADATA").write_text(metadata.format(name))


def plugins(*names: str) -> dict[str, Plugin]:
    return {plugin.name: plugin for plugin in load(read_settings(), only=names).plugins}


@pytest.mark.parametrize("entries", [b"[agentic]\nno equals sign\n", b"[agentic]\n\xff\xfe = x\n"])
def test_damaged_list_of_entry_points_is_set_aside_alone(entries: bytes) -> None:
    distribution("damaged", entries)
    found = plugins("damaged", "well")
    assert str(found["damaged"]) == (
        "plugin damaged (damaged 1.0): its entry_points.txt cannot be read. Run: pip install --force-reinstall damaged"
    )
    assert found["well"].state == "active"


def test_damaged_list_without_our_group_is_no_plugin() -> None:
    distribution("foreign", b"[console_scripts]\nno equals sign\n")
    found = plugins("well")
    assert "foreign" not in found
    assert found["well"].state == "active"


def test_plugin_found_twice_on_the_path_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution("damaged", b"[agentic]\nno equals sign\n")
    older = tmp_path / "older" / "well-0.9.dist-info"
    older.mkdir(parents=True)
    (older / "METADATA").write_text("Metadata-Version: 2.1\nName: Well\nVersion: 0.9\n")
    (older / "entry_points.txt").write_text("[agentic]\nwell = nowhere\n")
    monkeypatch.syspath_prepend(str(older.parent))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert str(plugins("well")["well"]) == "plugin well (well 1.0): active"


def test_folder_that_an_installer_left_behind_is_no_second_plugin(tmp_path: Path) -> None:
    left = tmp_path / "~ell-0.9.dist-info"
    left.mkdir()
    (left / "METADATA").write_text("Metadata-Version: 2.1\nName: Well\nVersion: 0.9\n")
    (left / "entry_points.txt").write_text("[agentic]\nwell = discovered_well\n")
    found = [plugin for plugin in load(read_settings(), only=["well"]).plugins if plugin.name == "well"]
    assert [plugin.state for plugin in found] == ["active"]


@pytest.mark.parametrize("value", ["", "a b c", "-"])
def test_entry_point_without_a_module_is_set_aside(value: str) -> None:
    distribution("odd", f"[agentic]\nodd = {value}\n".encode())
    found = plugins("odd", "well")
    assert found["odd"].cause == f"its entry point odd = {value!r} names no module"
    assert found["well"].state == "active"


@pytest.mark.parametrize("name", ["Odd", "my-odd", "odd/../well", "1odd", "o" * 65])
def test_plugin_name_that_storage_could_not_keep_apart_is_set_aside(name: str) -> None:
    distribution("odd", f"[agentic]\n{name} = discovered_well\n".encode())
    found = plugins(name, "well")
    assert found[name].cause == f"the plugin name {name!r} is not allowed"
    assert found[name].fix == "Rename it: small letters, digits and _, at most 64, a letter first"
    assert found["well"].state == "active"


def test_distribution_without_metadata_is_called_by_its_module() -> None:
    distribution("bare", b"[agentic]\nbare = discovered_nowhere\n", metadata=None)
    assert str(plugins("bare")["bare"]) == (
        "plugin bare (discovered_nowhere of unknown version): its own module 'discovered_nowhere' is not there. "
        "Run: pip install --force-reinstall discovered_nowhere"
    )


@pytest.mark.parametrize(
    ("module", "source", "state"),
    [("discovered_odd", WELL, "active"), ("discovered_bad", "import no_such_thing", "quarantined")],
)
def test_metadata_that_are_no_text_hold_up_nothing(tmp_path: Path, module: str, source: str, state: str) -> None:
    distribution("odd", f"[agentic]\nodd = {module}\n".encode())
    (tmp_path / "odd-1.0.dist-info" / "METADATA").write_bytes("Name: odd\nAuthor: Jürgen\n".encode("latin-1"))
    (tmp_path / f"{module}.py").write_text(source)
    found = plugins("odd", "well")
    assert found["well"].state == "active"
    assert found["odd"].title == f"odd ({module} of unknown version)"
    assert found["odd"].state == state


def test_safe_mode_refuses_a_name_that_is_not_installed() -> None:
    with pytest.raises(ConfigurationError, match=r"no plugin named wel is installed\. Installed: .*well"):
        plugins("wel", "well")


def test_disabling_what_is_not_installed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    load(read_settings(agentic_disable=["nowhere"]), only=["well"])
    assert "[Catalog] AGENTIC_DISABLE: no plugin named 'nowhere' is installed" in caplog.text
