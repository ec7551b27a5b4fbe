"""Which stores are in use where no setting says so: those that were, whatever comes or is set aside."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from agentic.catalog.catalog import Capability, Catalog, Kind, Plugin
from agentic.catalog.stores import FILE, Stores
from agentic.errors import ConfigurationError

BROKEN = Plugin("store_disk", "disk", "1", "quarantined", "no module named 'disk'", "Run: pip install disk")


def plugin(name: str, rank: int, kind: Kind = "storage_backend") -> Plugin:
    return Plugin(name, capabilities=[Capability(kind, name, name, name.upper(), rank)])


def chosen(folder: Path, *plugins: Plugin, wanted: str | None = None) -> object:
    return Stores(Catalog(plugins), folder).choose("storage_backend", wanted, "STORAGE")


def test_one_of_a_higher_rank_that_comes_later_takes_nothing_over(tmp_path: Path) -> None:
    assert chosen(tmp_path / "new", plugin("disk", 1), plugin("ram", 0)) == "DISK"
    assert chosen(tmp_path / "new", plugin("disk", 1), plugin("cloud", 9)) == "DISK"
    assert [one.name for one in (tmp_path / "new").iterdir()] == [FILE]


def test_one_that_is_set_aside_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    chosen(tmp_path, plugin("disk", 1), plugin("ram", 0))
    with pytest.raises(ConfigurationError) as caught:
        chosen(tmp_path, BROKEN, plugin("ram", 0))
    assert caught.value.param == "STORAGE"
    assert caught.value.message == (
        f"STORAGE is not set, and disk has kept what there is so far ({tmp_path / FILE}). STORAGE=disk: there is no "
        "storage backend of this name. Installed: ram. Example: STORAGE=ram Left out: plugin store_disk (disk 1): "
        "no module named 'disk'. Run: pip install disk."
    )


def test_a_setting_chooses_and_is_not_remembered(tmp_path: Path) -> None:
    plugins = plugin("disk", 1), plugin("ram", 0)
    assert chosen(tmp_path, *plugins, wanted="ram") == "RAM"
    assert not [*tmp_path.iterdir()]
    assert chosen(tmp_path, *plugins) == "DISK"
    assert chosen(tmp_path, *plugins, wanted="ram") == "RAM"
    assert chosen(tmp_path, BROKEN, plugins[1], wanted="ram") == "RAM"
    assert chosen(tmp_path, *plugins) == "DISK"


def test_each_kind_is_remembered_beside_the_others(tmp_path: Path) -> None:
    stores = Stores(Catalog([plugin("disk", 1), plugin("shelf", 0, "blob_store")]), tmp_path)
    assert stores.choose("blob_store", None, "BLOBS") == "SHELF"
    assert stores.choose("storage_backend", None, "STORAGE") == "DISK"
    assert json.loads((tmp_path / FILE).read_text()) == {"blob_store": "shelf", "storage_backend": "disk"}


@pytest.mark.parametrize("written", ["{", "[]", '"disk"', "\xff"])
def test_what_cannot_be_read_is_told_and_stays(written: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(written, encoding="latin-1")
    with pytest.raises(ConfigurationError, match=r"stores\.json tells which stores are in use, .* STORAGE, BLOBS\."):
        chosen(tmp_path, plugin("disk", 1))
    assert (tmp_path / FILE).read_text(encoding="latin-1") == written


def test_where_it_cannot_be_remembered_the_start_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with caplog.at_level(logging.WARNING):
        assert chosen(tmp_path, plugin("disk", 1)) == "DISK"
    assert "Not remembered which store is in use" in caplog.text
    assert not [*tmp_path.iterdir()]
