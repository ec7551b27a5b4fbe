"""The runtime: made whole or not at all, of installed packages alone, and cleaned up by nobody who needs it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

import pytest

from agentic import ToolError
from agentic_python_exec import distributions, folders
from agentic_python_exec import runtime as runtimes
from agentic_python_exec.runtime import Runtime, prepare


def installed_at(folder: Path, name: str, **files: str) -> PathDistribution:
    described = folder / f"{name}-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    for file, text in files.items():
        (described / file.replace("_json", ".json")).write_text(text)
    return PathDistribution(described)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[[PathDistribution], None]:
    def install(one: PathDistribution) -> None:
        monkeypatch.setattr(distributions, "distribution", lambda _: one)

    return install


def test_missing_distribution_is_told_with_its_fix() -> None:
    with pytest.raises(ToolError, match=r"no-such-thing, and it is not installed. Run: pip install no-such-thing"):
        distributions.installed(["No_such.thing"])


def test_editable_project_is_refused(tmp_path: Path, only: Callable[[PathDistribution], None]) -> None:
    only(installed_at(tmp_path, "mine", RECORD="x.py,,", direct_url_json='{"dir_info": {"editable": true}}'))
    with pytest.raises(ToolError, match="mine is installed as an editable project"):
        distributions.installed(["mine"])


def test_distribution_without_a_list_of_files_is_refused(
    tmp_path: Path, only: Callable[[PathDistribution], None]
) -> None:
    only(installed_at(tmp_path, "mine"))
    with pytest.raises(ToolError, match=r"mine has no list of its files. Run: pip install --force-reinstall mine"):
        distributions.installed(["mine"])


def test_only_what_lies_in_the_site_folder_and_is_of_use_is_taken(
    tmp_path: Path, only: Callable[[PathDistribution], None]
) -> None:
    record = (
        "mine/a.py,,\n../../bin/mine,,\nmine/tests/b.py,,\nmine/__pycache__/a.pyc,,\nmine/a.pyi,,\nmine/testing.py,,\n"
    )
    only(installed_at(tmp_path, "mine", RECORD=record + "/etc/passwd,,\n"))
    assert [name for name, _ in distributions.installed(["mine"])[0].files] == ["mine/a.py", "mine/testing.py"]


def test_packages_that_are_required_are_taken_too() -> None:
    titles = {one.title.partition("==")[0] for one in distributions.installed(["pandas", "matplotlib"])}
    assert titles >= {"numpy", "pandas", "python-dateutil", "pillow", "contourpy"}


def test_runtime_holds_the_packages_and_nothing_of_the_server(runtime: Runtime) -> None:
    site = {path.name for path in (runtime.folder / "site").iterdir()}
    assert {"numpy", "pandas", "matplotlib", "tzdata"} <= site
    assert not {name for name in site if name.startswith(("agentic", "pydantic", "pytest", "bubblewrap"))}
    assert not [path for path in (runtime.folder / "site").rglob("*.py") if os.access(path, os.W_OK) and os.geteuid()]
    # Not a single file is shared with the server's own packages.
    assert {path.stat().st_nlink for path in (runtime.folder / "site/numpy").glob("*.py")} == {1}


def test_fonts_are_listed_beforehand_and_are_those_of_the_package(runtime: Runtime) -> None:
    [listed] = (runtime.folder / "fonts").iterdir()
    fonts = json.loads(listed.read_text())["ttflist"]
    assert len(fonts) > 10
    assert not [font["fname"] for font in fonts if font["fname"].startswith("/")]


def test_second_start_finds_the_runtime_in_no_time(runtime: Runtime) -> None:
    again = prepare(runtime.folder.parent)
    assert (again.folder, again.path, again.libraries) == (runtime.folder, runtime.path, runtime.libraries)
    again.held.release()


def test_build_that_fails_leaves_nothing_and_tells_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "installed", lambda _: [distributions.Installed("gone==1", (("x", tmp_path / "x"),))])
    with pytest.raises(ToolError, match=r"gone==1 cannot be copied: No such file.*pip install --force-reinstall gone"):
        prepare(tmp_path / "new")
    monkeypatch.setattr(runtimes, "installed", lambda _: [])
    with pytest.raises(ToolError, match=r"cannot be imported by .*No module named 'numpy'"):
        prepare(tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["runtime.lock"]


def test_half_made_and_outdated_runtimes_go_and_those_in_use_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("runtime-old", "runtime-used", "building-dead"):
        (tmp_path / name).mkdir()
    used = folders.Held(tmp_path / "runtime-used")
    monkeypatch.setattr(runtimes, "installed", lambda _: [])
    monkeypatch.setattr(runtimes, "_inventory", lambda *_: {"path": [], "libraries": []})
    made = prepare(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"runtime.lock", "runtime-used", made.folder.name}
    used.release()
    made.held.release()


def test_two_servers_that_start_at_once_make_one_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    monkeypatch.setattr(runtimes, "installed", lambda _: [])
    monkeypatch.setattr(runtimes, "_inventory", lambda *_: built.append(1) or {"path": [], "libraries": []})
    made: list[Any] = []
    starts = [threading.Thread(target=lambda: made.append(prepare(tmp_path))) for _ in range(4)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(built) == 1
    assert len({one.folder for one in made}) == 1
    for one in made:
        one.held.release()


def test_deep_and_closed_folders_are_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d" * 50, dir_fd=here)
        below = os.open("d" * 50, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (top / "closed").mkdir()
    (top / "closed/file").write_text("x")
    (top / "closed").chmod(0)
    (top / "link").symlink_to(tmp_path)
    folders.remove(top)
    folders.remove(top)
    assert list(tmp_path.iterdir()) == []


def test_more_packages_can_be_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(runtimes, "installed", lambda names: asked.append(list(names)) or [])
    monkeypatch.setattr(runtimes, "_inventory", lambda *_: {"path": [], "libraries": []})
    prepare(tmp_path, ["scipy"]).held.release()
    assert asked == [["numpy", "pandas", "matplotlib", "tzdata", "scipy"]]
