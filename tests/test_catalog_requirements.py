"""What the doctor tells of plugins whose requirements are not there: they load, and fail at their first use."""

from pathlib import Path

import pytest

from agentic.catalog.requirements import complaints


@pytest.fixture(autouse=True)
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    installed(tmp_path, "needed-lib", "2.0", "Requires-Dist: deep-lib>=3; extra == 'deep'")


def installed(folder: Path, name: str, version: str, *lines: str, left: str = "") -> None:
    info = folder / f"{left or name}-{version}.dist-info"
    info.mkdir(parents=True)
    head = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    (info / "METADATA").write_text("\n".join([*head, *lines, "", "A readme.", ""]))


def told(*names: str) -> list[str]:
    return list(complaints(names))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "Requires-Dist: no-such-lib>=1",
            "my-plugin needs no-such-lib>=1, which is not installed. Run: pip install 'no-such-lib>=1'",
        ),
        (
            "Requires-Dist: Needed_Lib>=9",
            "my-plugin needs Needed_Lib>=9, and 2.0 is installed. Run: pip install 'Needed_Lib>=9'",
        ),
        (
            "Requires-Dist: needed-lib[deep]",
            "my-plugin needs deep-lib>=3, which is not installed. Run: pip install 'deep-lib>=3'",
        ),
        (
            "Requires-Dist: no-such-lib[x]; python_version > '3'",
            "my-plugin needs no-such-lib[x], which is not installed. Run: pip install 'no-such-lib[x]'",
        ),
    ],
)
def test_what_is_missing_is_told_with_its_command(tmp_path: Path, line: str, complaint: str) -> None:
    installed(tmp_path, "my-plugin", "1.0", line)
    assert told("My_Plugin") == [complaint]


def test_python_that_is_too_old_is_told(tmp_path: Path) -> None:
    installed(tmp_path, "my-plugin", "1.0", "Requires-Python: >=99")
    (complaint,) = told("my-plugin")
    assert complaint.startswith("my-plugin 1.0 needs Python >=99, and this is 3.")
    assert complaint.endswith("Run: pip install --upgrade my-plugin, or use another Python")


@pytest.mark.parametrize("left", ["my-plugin", "~y-plugin"])
def test_second_version_in_one_place_is_told(tmp_path: Path, left: str) -> None:
    installed(tmp_path, "my-plugin", "1.0")
    installed(tmp_path, "my-plugin", "0.9", left=left)
    (complaint,) = told("my-plugin")
    assert complaint.startswith(f"my-plugin is installed in several versions, 0.9 and 1.0, at {tmp_path}. ")


def test_version_further_back_on_the_path_is_no_leftover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "my-plugin", "1.0", "Requires-Dist: needed-lib<3")
    installed(tmp_path / "system", "my-plugin", "0.9")
    installed(tmp_path / "system", "needed-lib", "3.0")
    monkeypatch.setattr("sys.path", [str(tmp_path), str(tmp_path / "system")])
    assert told("my-plugin") == []


@pytest.mark.parametrize(
    "line",
    [
        "Requires-Dist: needed-lib>=1",
        "Requires-Dist: needed.lib @ https://example.org/needed.whl",
        "Requires-Dist: no-such-lib; extra == 'more'",
        "Requires-Dist: no-such-lib; python_version < '3'",
        "Requires-Dist: ???",
        "Requires-Dist: no-such-lib; python_version > no_such_variable",
        "Requires-Python: >=3\nRequires-Python: <99",
        "Requires-Python: ???",
        "Requires-Python: >=3.11",
    ],
)
def test_what_is_there_or_is_not_asked_for_here_is_no_complaint(tmp_path: Path, line: str) -> None:
    installed(tmp_path, "my-plugin", "1.0", line)
    assert told("my-plugin", "not-there") == []
