"""The catalog: its order, its owners, and the choice that a setting makes."""

import pytest

from agentic.catalog.catalog import Capability, Catalog, Plugin
from agentic.errors import ConfigurationError


def storage(name: str, plugin: str, rank: int = 0, fix: str = "") -> Capability:
    return Capability("storage_backend", name, plugin, None if fix else object(), rank, fix)


def catalog() -> Catalog:
    return Catalog(
        [
            Plugin("disk", "agentic-plugin-disk", "1.0", capabilities=[storage("disk", "disk")]),
            Plugin("ram", "agentic-plugin-ram", "1.0", capabilities=[storage("ram", "ram"), storage("fast", "ram", 5)]),
            Plugin(
                "cloud",
                state="not_configured",
                cause="a setting is missing",
                capabilities=[storage("cloud", "cloud", 9, "Set CLOUD_URL")],
            ),
            Plugin("store_tape", "tape", "2", "quarantined", "no module named 'tape'", "Run: pip install tape"),
        ]
    )


def test_unknown_name_is_told_with_setting_example_and_what_is_installed() -> None:
    with pytest.raises(ConfigurationError) as caught:
        catalog().choose("storage_backend", "floppy", "STORAGE")
    assert caught.value.message == (
        "STORAGE=floppy: there is no storage backend of this name. Installed: fast, disk, ram. Example: STORAGE=fast"
    )
    assert caught.value.param == "STORAGE"


def test_name_that_is_not_configured_is_told_with_its_fix() -> None:
    with pytest.raises(ConfigurationError, match=r"cloud is not configured: Set CLOUD_URL$"):
        catalog().choose("storage_backend", "cloud", "STORAGE")


def test_name_of_a_broken_plugin_is_told_with_its_fix() -> None:
    with pytest.raises(
        ConfigurationError, match=r"Left out: plugin store_tape \(tape 2\): no module named 'tape'\. Run"
    ):
        catalog().choose("storage_backend", "tape", "STORAGE")


def test_nothing_to_choose_from_is_told_with_what_is_left_out() -> None:
    with pytest.raises(ConfigurationError, match=r"STORAGE: no storage backend can be used\. Install .* store_tape"):
        Catalog(catalog().plugins[2:]).choose("storage_backend", None, "STORAGE")
    with pytest.raises(ConfigurationError, match=r"STORAGE=disk: no storage backend can be used\.$"):
        Catalog([]).choose("storage_backend", "disk", "STORAGE")


def test_highest_rank_wins_where_no_setting_chooses_then_the_name() -> None:
    known = catalog()
    assert [one.name for one in known.all("storage_backend")] == ["fast", "disk", "ram"]
    assert known.choose("storage_backend", None, "STORAGE") is known.all("storage_backend")[0].object
    assert known.choose("storage_backend", " RAM ", "STORAGE") is known.all("storage_backend")[2].object
    assert known.all("storage_backend")[0].plugin == "ram"
    assert known.tools() == known.agents() == known.embedders() == known.model_providers() == {}
