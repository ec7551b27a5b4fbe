"""What comes out of a sandbox is believed only as far as it was checked; and the filter is what it says it is."""

from __future__ import annotations

import io
import json
import os
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from agentic_python_exec.inside import seccomp, system_calls
from agentic_python_exec.inside.folder import Folder
from agentic_python_exec.inside.frames import BadFrame, read_frame, write_frame
from agentic_python_exec.limits import Limits
from agentic_python_exec.outcome import is_file_name, read_outcome
from agentic_python_exec.report import report

REPORT = {
    "reason": "done", "code": 0, "seconds": 0.1, "stdout": "", "stderr": "",
    "changed": 0, "deleted": [], "left_out": [],
}  # fmt: skip


def frame(header: Any, rest: bytes = b"") -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">I", len(encoded)) + encoded + rest


def read(data: bytes) -> Any:
    return read_frame(io.BytesIO(data), max_files=2, max_bytes=10)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\xff\xff\xff\xff",
        struct.pack(">I", 10) + b"{}",
        frame(b"not json"),
        frame(b"\xff\xfe"),
        frame(b"[" * 100_000),
        frame([]),
        frame({}),
        frame({"files": 3}),
        frame({"files": [["a", 1]]}),
        frame({"files": [["a", -1], ["b", 1]]}, b"x"),
        frame({"files": [["a", 11]]}, b"x" * 11),
        frame({"files": [["a", 6], ["b", 6]]}, b"x" * 12),
        frame({"files": [["a", 1]] * 3}, b"xxx"),
        frame({"files": [["a", 1.0]]}, b"x"),
        frame({"files": [["a", True]]}, b"x"),
        frame({"files": [[1, 1]]}, b"x"),
        frame({"files": [["a"]]}, b"x"),
        frame({"files": {"a": 1}}, b"x"),
    ],
)
def test_frame_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(BadFrame):
        read(data)


def test_frame_comes_back_as_it_was_written() -> None:
    stream = io.BytesIO()
    write_frame(stream, {"x": "ü"}, [("a", b"12"), ("b", b"")])
    assert read(stream.getvalue()) == ({"x": "ü"}, [("a", b"12"), ("b", b"")])
    assert read(b"") is None


@pytest.mark.parametrize(
    "spoiled",
    [
        {"reason": "fine"},
        {"code": "0"},
        {"code": 10**9},
        {"seconds": float("nan")},
        {"stdout": None},
        {"stderr": ["x"]},
        {"changed": -1},
        {"deleted": "a"},
        {"deleted": ["a"] * 2000},
        {"left_out": [1]},
        {"more": 1},
    ],
)
def test_report_that_is_none_is_refused(spoiled: dict[str, Any]) -> None:
    with pytest.raises(BadFrame):
        read_outcome({**REPORT, **spoiled}, [])


@pytest.mark.parametrize("missing", REPORT)
def test_report_that_lacks_something_is_refused(missing: str) -> None:
    with pytest.raises(BadFrame):
        read_outcome({name: value for name, value in REPORT.items() if name != missing}, [])


BAD_NAMES = [
    "", ".", "..", "/", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "a/./b", ".hidden", "a/.hidden", " a", "a ",
    "a/ b",
    "a\nb", "a\x00b", "a\\b", "a\u202eb", "\udc80", "x" * 201, "ü" * 101, "/".join("a" * 9),
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_name_that_could_lead_elsewhere_is_left_out(name: str) -> None:
    assert not is_file_name(name)
    outcome = read_outcome({**REPORT, "changed": 1, "deleted": [name]}, [(name, b"x"), (name, b"y")])
    assert (outcome.changed, outcome.figures, outcome.deleted) == ((), (), ())
    report(outcome, Limits()).encode("utf-8")


@pytest.mark.parametrize("name", ["a", "a.txt", "Bericht für März.csv", "a/b/c.txt", "日本.png", "a..b", "x" * 200])
def test_ordinary_name_is_taken(name: str) -> None:
    assert is_file_name(name)


def test_name_that_is_told_forges_no_line_and_turns_no_direction() -> None:
    outcome = read_outcome({**REPORT, "left_out": ["a\n\nEnded (timeout)\x1b[2J\u202eb\udc80"]}, [])
    assert outcome.left_out == ("a\ufffd\ufffdEnded (timeout)\ufffd[2J\ufffdb\ufffd",)


def test_figure_within_a_folder_is_left_out() -> None:
    assert read_outcome(REPORT, [("a/b.png", b"x")]).figures == ()


def test_links_pipes_and_folders_of_an_unconfined_program_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    folder = Folder(str(tmp_path / "run"))
    Path(folder.root).mkdir()
    folder.make()
    work = Path(folder.work)
    (work / "link.txt").symlink_to(secret)
    (work / "folder").symlink_to(tmp_path)
    os.mkfifo(work / "pipe")
    (work / "good.txt").write_text("good")
    Path(folder.figures, "figure_1.png").symlink_to(secret)
    found = folder.collect(Limits().as_json())
    assert (found.changed, found.figures) == ([("good.txt", b"good")], [])


def test_last_figures_are_left_out_where_they_are_too_many(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "run"))
    Path(folder.root).mkdir()
    folder.make()
    for number in range(1, 13):
        Path(folder.figures, f"figure_{number}.png").write_bytes(b"x")
    found = folder.collect(Limits(out_files=10).as_json())
    assert [name for name, _ in found.figures] == [f"figure_{number}.png" for number in range(1, 11)]
    assert found.left_out == ["figure_11.png", "figure_12.png"]


def run_filter(code: list[tuple[int, int, int, int]], number: int, arguments: list[int], architecture: int) -> int:
    """What the filter answers, by the rules of classic BPF."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *(arguments + [0] * 6)[:6])
    place = loaded = 0
    while True:
        operation, if_true, if_false, value = code[place]
        place += 1
        if operation == 0x06:
            return value
        if operation == 0x20:
            loaded = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x54:
            loaded &= value
        else:
            true = loaded == value if operation == 0x15 else loaded >= value
            place += if_true if true else if_false


ALLOW, EPERM, KILL = 0x7FFF0000, 0x00050001, 0x80000000


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filter_allows_what_is_listed_with_the_right_arguments_alone(machine: str) -> None:
    column, architecture = seccomp.ARCHITECTURES[machine]
    code = seccomp.program(machine, True, 77)
    assert len(code) < 4096

    def ask(name: str, *arguments: int) -> int:
        number = system_calls.NUMBERS[name][column]
        assert number is not None
        return run_filter(code, number, list(arguments), architecture)

    assert ask("read") == ask("exit_group") == ALLOW
    assert [ask("kill", pid) for pid in (77, 76, 0, 2**32 - 1)] == [ALLOW, EPERM, EPERM, EPERM]
    assert [ask("tgkill", pid, pid) for pid in (77, 78)] == [ALLOW, EPERM]
    assert [ask("clone", flags) for flags in (0x3D0F00, 0x3D0B00, 0x01200011, 0x10000000)] == [ALLOW] + [EPERM] * 3
    assert [ask("renameat2", 3, 1, 3, 1, flags) for flags in (0, 1, 2, 4)] == [ALLOW] * 3 + [EPERM]
    assert [ask("close_range", 3, 9, flags) for flags in (0, 4, 2, 6)] == [ALLOW, ALLOW, EPERM, EPERM]
    assert [ask("openat", 0, 0, flags) for flags in (0, 0o1000, 0o1001, 0o1101)] == [ALLOW, EPERM, ALLOW, ALLOW]
    assert [ask("socketpair", *pair) for pair in ((1, 1), (1, 0o2004001), (1, 2), (2, 1))] == [
        ALLOW,
        ALLOW,
        EPERM,
        EPERM,
    ]
    assert [ask("sendto", 3, 1, 1, 0, address) for address in (0, 1, 1 << 40)] == [ALLOW, EPERM, EPERM]
    assert [ask("fcntl", 3, what) for what in (1, 3, 8, 10, 1024, 1026)] == [ALLOW, ALLOW] + [EPERM] * 4
    assert [ask("ioctl", 0, what) for what in (0x5401, 0x5412, 0x5421)] == [ALLOW, EPERM, ALLOW]
    assert [ask("prctl", what) for what in (15, 1, 4, 22)] == [ALLOW, EPERM, EPERM, EPERM]
    assert [ask("prlimit64", *four) for four in ((0, 7, 0), (77, 7, 0), (1, 7, 0), (0, 7, 8), (0, 7, 1 << 40))] == [
        ALLOW, ALLOW, EPERM, EPERM, EPERM
    ]  # fmt: skip
    assert (
        ask("fchmodat") == 0x00050000
        and ask("clone3") == 0x00050026
        and ask("getxattr") == ask("fallocate") == 0x0005005F
    )
    assert run_filter(code, 0, [], 0x40000003) == KILL
    assert run_filter(code, 0x40000000, [], architecture) == KILL
    assert run_filter(code, 999, [], architecture) == EPERM


def test_filter_for_an_unknown_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program("riscv64", True, 1)


@pytest.mark.parametrize("column", [0, 1])
def test_numbers_are_those_of_the_kernel(column: int) -> None:
    header = Path(["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h"][column])
    if not header.exists():
        pytest.skip("the kernel's headers are not installed")
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    # Under their generic names, and one that is newer than some headers.
    found.setdefault("newfstatat", found.get("fstatat", ""))
    for name, numbers in system_calls.NUMBERS.items():
        if name != "fchmodat2" and numbers[column] is not None:
            assert numbers[column] == int(found[name]), name


def test_every_listed_call_has_a_number_and_no_number_is_listed_for_nothing() -> None:
    lists = (
        system_calls.ALLOWED, system_calls.FILE_ATTRIBUTES, system_calls.EXTENDED_ATTRIBUTES, system_calls.UNKNOWN,
        system_calls.RESERVING, system_calls.CONDITIONAL,
    )  # fmt: skip
    named = [name for one in lists for name in one]
    assert sorted(named) == sorted(system_calls.NUMBERS)
    forbidden = {"fork", "vfork", "execve", "socket", "connect", "ptrace", "mount", "unshare", "memfd_create", "setsid"}
    assert not forbidden & set(named)
