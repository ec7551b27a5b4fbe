"""The attacks against which every back end is held, and the control that the same attacks succeed without one."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PRELUDE = """
import os, sys
def attempt(name, act):
    try:
        result = act()
    except BaseException as error:
        print("held", name, type(error).__name__, error)
    else:
        print("BROKE", name, repr(result)[:100])
def system_call(number, *arguments):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
"""

STEALING = {
    "read /etc/passwd": "attempt('open', lambda: open('/etc/passwd').read())",
    "a secret file of the host": """
attempt('open', lambda: open(SECRET).read())
attempt('relative', lambda: open('../../../../../../../../..' + SECRET).read())
attempt('descriptor', lambda: os.open(os.path.basename(SECRET), os.O_RDONLY,
                                      dir_fd=os.open(os.path.dirname(SECRET), os.O_PATH)))
""",
    "write outside": """
attempt('file', lambda: open(OUTSIDE, 'w').write('x'))
attempt('folder', lambda: os.mkdir(OUTSIDE + '-folder'))
attempt('append', lambda: open(SECRET, 'a').write('x'))
attempt('truncate', lambda: os.open(SECRET, os.O_RDONLY | os.O_TRUNC))
attempt('remove', lambda: os.remove(SECRET))
""",
    "TCP to loopback": """
import socket
attempt('connect', lambda: socket.create_connection(('127.0.0.1', PORT), 2))
attempt('listen', lambda: socket.create_server(('127.0.0.1', 0)))
""",
    "UDP and DNS": """
import socket
attempt('udp', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', UDP_PORT)))
attempt('netlink', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
""",
    "UNIX and abstract sockets": """
import socket
def say(address):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(address)
attempt('path', lambda: say(UNIX_PATH))
attempt('abstract', lambda: say(ABSTRACT))
""",
    "memory beside the address space": """
def memory_file():
    descriptor = os.memfd_create('x')
    for _ in range(50):
        os.write(descriptor, bytes(1024 * 1024))
attempt('memfd', memory_file)
attempt('System V', lambda: system_call(29, 0, 50 * 1024 * 1024, 0o1600))
attempt('/dev/shm', lambda: open('/dev/shm/agentic-' + str(os.getpid()), 'wb').write(bytes(1000)))
attempt('again', lambda: os.remove('/dev/shm/agentic-' + str(os.getpid())))
""",
    "import the host application": """
import importlib
sys.path += HOST_PATH
for name in ('agentic', 'agentic_python_exec', 'pydantic', 'pytest'):
    attempt(name, lambda: importlib.import_module(name))
""",
    "poison the runtime": """
import numpy, json, inspect
site = os.path.dirname(os.path.dirname(numpy.__file__))
attempt('new module', lambda: open(site + '/sneaked.py', 'w').close())
attempt('module', lambda: open(numpy.__file__, 'a').write('# poison'))
attempt('truncate', lambda: os.open(numpy.__file__, os.O_RDONLY | os.O_TRUNC))
attempt('remove', lambda: os.remove(numpy.__file__))
attempt('rename', lambda: os.rename(site + '/numpy', site + '/numpy2'))
attempt('standard library', lambda: open(json.__file__, 'a').write(''))
""",
    "another sandbox's files": "attempt('open', lambda: open(NEIGHBOUR).read())",
}

HOLDING = {
    "the environment": "attempt('environment', lambda: [1 / ('hidden-hidden' in str(os.environ))])",
    "/proc/1 and the parent's environ": """
for pid in (1, os.getppid(), 'self', SERVER):
    attempt(str(pid), lambda: open(f'/proc/{pid}/environ', 'rb').read())
    attempt(str(pid), lambda: open(f'/proc/{pid}/cmdline', 'rb').read())
attempt('list', lambda: os.listdir('/proc'))
""",
    "ptrace and /proc/mem": """
for pid in (os.getppid(), SERVER):
    attempt('ptrace', lambda: system_call(101, 16, pid, 0, 0))
    attempt('mem', lambda: open(f'/proc/{pid}/mem', 'r+b'))
    attempt('readv', lambda: system_call(310, pid, 0, 0, 0, 0, 0))
""",
    "kill the parent": """
import signal
for pid in (os.getppid(), 0, -1, -os.getpgrp(), SERVER):
    for number in (0, signal.SIGTERM, signal.SIGKILL):
        attempt(f'{pid} {number}', lambda: os.kill(pid, number))
import fcntl
reading, writing = os.pipe()
attempt('owner', lambda: fcntl.fcntl(reading, 8, SERVER))
""",
    "an orphan grandchild": """
attempt('fork', os.fork)
attempt('vfork', lambda: os.posix_spawn('/bin/sh', ['sh'], {}))
attempt('setsid', os.setsid)
import subprocess
attempt('subprocess', lambda: subprocess.Popen(['/bin/sh', '-c', 'sleep 60']))
attempt('exec', lambda: os.execv('/bin/sh', ['sh']))
""",
    "risky system calls": """
import ctypes
for name, number in {'unshare': 272, 'mount': 165, 'setns': 308, 'bpf': 321, 'keyctl': 250, 'add_key': 248,
                     'io_uring_setup': 425, 'userfaultfd': 323, 'perf_event_open': 298, 'open_by_handle_at': 304,
                     'pivot_root': 155, 'chroot': 161, 'init_module': 175, 'kexec_load': 246, 'swapon': 167,
                     'personality': 135, 'clone3': 435, 'pidfd_open': 434, 'process_vm_writev': 311, 'vmsplice': 278,
                     'inotify_init': 253, 'fanotify_init': 300, 'memfd_secret': 447, 'landlock_create_ruleset': 444,
                     'seccomp': 317, 'sync': 162, 'reboot': 169, 'mknod': 133, 'truncate': 76, 'sendmsg': 46,
                     'socket': 41, 'connect': 42, 'execveat': 322, 'setuid': 105, 'capset': 126,
                     'openat2': 437}.items():
    attempt(name, lambda: system_call(number, 0, 0, 0, 0, 0, 0))
attempt('new user namespace', lambda: system_call(56, 0x10000000, 0, 0, 0, 0))
attempt('type into the terminal', lambda: __import__('fcntl').ioctl(0, 0x5412, b'x'))
attempt('death signal', lambda: system_call(157, 1, 0, 0, 0, 0))
""",
    "symlinks and hard links": """
open('moved.txt', 'w').close()
attempt('device in its place', lambda: system_call(316, -100, b'moved.txt', -100, b'there.txt', 4))
attempt('symlink', lambda: os.symlink('/etc/passwd', 'shadow.txt'))
attempt('hard link', lambda: os.link(SECRET, 'linked.txt'))
attempt('fifo', lambda: os.mkfifo('pipe'))
attempt('device', lambda: os.mknod('zero', 0o20666, os.makedev(1, 5)))
""",
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What is worth attacking: files, and servers that count who comes."""
    folder = tmp_path_factory.mktemp("host")
    secret = folder / "secret.txt"
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(folder / "socket"))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0agentic-test-{os.getpid()}")
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    for one in (unix, abstract):
        one.listen()
    yield {
        "SECRET": str(secret),
        "OUTSIDE": str(folder / "written"),
        "PORT": tcp.getsockname()[1],
        "UDP_PORT": udp.getsockname()[1],
        "UNIX_PATH": str(folder / "socket"),
        "ABSTRACT": f"\0agentic-test-{os.getpid()}",
        "HOST_PATH": [path for path in sys.path if path],
        "SERVER": os.getpid(),
        "folder": folder,
    }
    for one in (unix, abstract, tcp, udp):
        one.close()


@pytest.fixture
def named(host: dict[str, Any], tmp_path: Path) -> str:
    """The start of every attack: its tools, and its targets as names."""
    Path(host["SECRET"]).write_text("secret of the host")
    Path(host["SECRET"]).chmod(0o666)
    host["folder"].chmod(0o777)
    neighbour = tmp_path / "neighbour.txt"
    neighbour.write_text("another's")
    names = {**host, "NEIGHBOUR": str(neighbour)}
    return PRELUDE + "".join(f"{name} = {value!r}\n" for name, value in names.items() if name.isupper())


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"socket", "secret.txt"}


@pytest.mark.parametrize("name", [*STEALING, *HOLDING])
def test_attack_is_held(
    bench: Any, name: str, named: str, host: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden-hidden")
    outcome = bench.run(named + {**STEALING, **HOLDING}[name] + "\nprint('to the end')")
    assert outcome.reason == "done", outcome.errors
    assert outcome.output.endswith("to the end\n"), "the program was not stopped before it could attack"
    assert "BROKE" not in outcome.output
    assert "held" in outcome.output
    assert not [file for file, _ in outcome.changed if file == "shadow.txt"]
    assert Path(host["SECRET"]).read_text() == "secret of the host"
    assert written(host["folder"]) == set()


@pytest.mark.parametrize("name", STEALING)
def test_attack_succeeds_where_nothing_confines(unconfined: Any, name: str, named: str, host: dict[str, Any]) -> None:
    if name == "poison the runtime":
        pytest.skip("it would: the runtime is that of all tests")
    outcome = unconfined.run(named + STEALING[name])
    assert "BROKE" in outcome.output, outcome
    for path in written(host["folder"]):
        target = host["folder"] / path
        target.rmdir() if target.is_dir() else target.unlink()


def test_changing_modes_owners_and_times_of_host_files_has_no_effect(bench: Any, named: str, tmp_path: Path) -> None:
    target = tmp_path / "target.txt"
    target.write_text("x")
    before = target.stat()
    code = f"""
TARGET = {str(target)!r}
attempt('chmod', lambda: os.chmod(TARGET, 0o777))
attempt('chown', lambda: os.chown(TARGET, os.getuid(), os.getgid()))
attempt('utime', lambda: os.utime(TARGET, (1, 1)))
attempt('xattr', lambda: os.setxattr(TARGET, 'user.x', b'1'))
attempt('runtime', lambda: os.chmod(os.path.dirname(os.__file__), 0o777))
"""
    standard_library = Path(os.__file__).parent.stat()
    bench.run(named + code)
    after = target.stat()
    assert (after.st_mode, after.st_uid, after.st_mtime_ns) == (before.st_mode, before.st_uid, before.st_mtime_ns)
    assert os.listxattr(target) == []
    assert Path(os.__file__).parent.stat().st_mode == standard_library.st_mode


def test_harmless_program_does_all_that_programs_do(bench: Any) -> None:
    """The control for the back ends: one that runs nothing would hold against everything."""
    code = """
import asyncio, json, os, shutil, sqlite3, tempfile, threading, zoneinfo
import numpy, pandas
async def waited():
    await asyncio.sleep(0.01)
    return 5
os.makedirs('a/b'); open('a/b/c.txt', 'w').write(open('given.txt').read())
shutil.copy2('a/b/c.txt', 'd.txt'); os.rename('d.txt', 'e.txt'); os.remove('a/b/c.txt'); os.rmdir('a/b')
said = []
threads = [threading.Thread(target=said.append, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
store = sqlite3.connect('x.db'); store.execute('create table t (x)'); store.commit(); store.close()
tempfile.NamedTemporaryFile().write(b'x')
frame = pandas.DataFrame({'x': numpy.arange(3)}); frame.to_csv('f.csv')
print(asyncio.run(waited()), len(said), zoneinfo.ZoneInfo('Europe/Berlin'), frame.x.sum(), os.getcwd() != '/')
"""
    outcome = bench.run(code, [("given.txt", b"given")])
    assert (outcome.output, outcome.errors) == ("5 8 Europe/Berlin 3 True\n", "")
    assert {name for name, _ in outcome.changed} == {"e.txt", "x.db", "f.csv"}
    assert dict(outcome.changed)["e.txt"] == b"given"


HOARD = """
import ctypes, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def hoard():
    held = []
    for n in range(50):
        held.append(os.open('x.bin', os.O_RDWR | os.O_CREAT)); os.unlink('x.bin'); os.write(held[-1], bytes(2**20))
    time.sleep(9)
"""

ENDED = {
    "fork bomb": ("while True:\n    try: os.fork()\n    except OSError: pass", {"cpu", "timeout"}, {"cpu": 1}),
    "thread bomb": (
        "import threading, time\nn = 0\n"
        "while True:\n    threading.Thread(target=time.sleep, args=(9,), daemon=True).start(); n += 1; print(n)",
        {"error"},
        {},
    ),
    "4 GiB of memory": ("x = bytearray(4 * 2**30)", {"memory"}, {}),
    "memory bit by bit": ("x = []\nwhile True: x.append(bytes(2**20))", {"memory"}, {}),
    "memory to the last byte": (
        "x = bytearray(160 * 2**20)\ny = None\nwhile True: y = [y]",
        {"memory"},
        {"memory": 300 * 2**20},
    ),
    "names to the last byte": (
        "x = bytearray(160 * 2**20)\nn = 0\nwhile True: globals()[f'v{n}'] = n; n += 1",
        {"memory"},
        {"memory": 300 * 2**20},
    ),
    "endless loop": ("while True: pass", {"cpu"}, {"cpu": 1}),
    "endless wait": ("import time; time.sleep(60)", {"timeout"}, {"wall": 0.5}),
    "1 GiB of output": ("while True: print('x' * 1000)", {"output"}, {}),
    "output without an end of line": ("import os\nwhile True: os.write(2, b'y' * 65536)", {"output"}, {}),
    "fill the disk": (
        "for n in range(50): open(f'{n}.bin', 'wb').write(bytes(2**20))\nimport time; time.sleep(9)",
        {"disk"},
        {},
    ),
    "one great file": ("open('x.bin', 'wb').write(bytes(2**25))", {"disk"}, {}),
    "files filled by way of memory": (
        "import mmap\nfor n in range(3):\n"
        "    file = open(f'{n}.bin', 'w+b'); file.truncate(2**24); mmap.mmap(file.fileno(), 2**24)[:] = bytes(2**24)\n"
        "import time; time.sleep(9)",
        {"disk"},
        {},
    ),
    "removed files that are held open": (
        "import time\nheld = []\nfor n in range(50):\n"
        "    held.append(open('x.bin', 'wb')); held[-1].write(bytes(2**20)); held[-1].flush(); os.remove('x.bin')\n"
        "time.sleep(9)",
        {"disk"},
        {},
    ),
    "removed files held open when the first thread has ended": (
        HOARD
        + """
def wait():
    time.sleep(0.2)
    try: hoard()
    except OSError: os._exit(5)
threading.Thread(target=wait).start()
libc.syscall({'x86_64': 60, 'aarch64': 93}[os.uname().machine], 0)
""",
        {"disk", "killed", "error"},
        {},
    ),
    "removed files held open by a thread that would have a table of its own": (
        HOARD
        + """
def hide():
    try:
        libc.syscall(436, 1000, 1000, 2); hoard()
    except OSError: os._exit(5)
threading.Thread(target=hide).start()
""",
        {"disk", "error"},
        {},
    ),
    "50,000 files": ("for n in range(50_000): open(str(n), 'w').close()", {"disk"}, {}),
    "folders without end": (
        "while True:\n    os.mkdir('d'); os.chdir('d')",
        {"disk"},
        {},
    ),
    "os._exit": ("os._exit(7)", {"error"}, {}),
    "ignoring SIGTERM": (
        "import signal, time\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\ntime.sleep(60)",
        {"timeout"},
        {"wall": 0.5},
    ),
    "ignoring SIGXCPU": (
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        {"cpu"},
        {"cpu": 1},
    ),
    "dripping output": (
        "import time\nwhile True: print(1); time.sleep(0.005)",
        {"timeout"},
        {"wall": 0.7},
    ),
    "crash": ("import ctypes; ctypes.string_at(0)", {"crash"}, {}),
    "killing itself": ("import signal; os.kill(os.getpid(), signal.SIGKILL)", {"killed"}, {}),
}


@pytest.mark.parametrize("name", ENDED)
def test_runaway_is_ended_and_the_reason_told(bench: Any, name: str) -> None:
    code, reasons, limits = ENDED[name]
    outcome = bench.run("import os\n" + code, **limits)
    assert outcome.reason in reasons, outcome
    assert outcome.seconds < 6
    assert "code/inside" not in outcome.errors
    assert len(outcome.output) + len(outcome.errors) <= 200_000
    if name == "thread bomb":
        assert 4 <= int(outcome.output.split()[-1]) < 40
    assert bench.run("print('the next one')").output == "the next one\n"


CODES = {
    "sys.exit(117)": 117,
    "os._exit(118)": 118,
    "sys.exit(True)": 1,
    "sys.exit(-1)": 255,
    "class Odd(int):\n    def __and__(self, other): return 'x'\nsys.exit(Odd(3))": 3,
    "import atexit; atexit.register(os._exit, 9); 1 / 0": 9,
    "class Odd(SystemExit):\n    code = property(lambda self: 1 / 0)\nraise Odd": 1,
}


@pytest.mark.parametrize("code", CODES)
def test_code_of_an_exit_is_the_program_s_own_and_says_nothing_else(bench: Any, code: str) -> None:
    outcome = bench.run(f"import os, sys\n{code}")
    assert (outcome.reason, outcome.code) == ("error", CODES[code]), outcome
    assert "keeper" not in outcome.errors


def test_program_that_is_nested_too_deeply_has_not_used_up_the_memory(bench: Any) -> None:
    outcome = bench.run("-" * 100_000 + "1")
    assert (outcome.reason, outcome.errors) == ("error", "SyntaxError: the program is nested too deeply to be read\n")


@pytest.mark.parametrize(("depth", "reason"), [(30, "done"), (40, "disk")])
def test_folders_are_only_as_deep_as_they_can_be_looked_into_at_once(bench: Any, depth: int, reason: str) -> None:
    """To look at each of a long chain of folders by its whole name takes seconds, in which no other limit is held."""
    code = f"import os, time\nfor _ in range({depth}): os.mkdir('d'); os.chdir('d')\ntime.sleep(0.3)"
    assert bench.run(code).reason == reason


def test_disk_is_not_reserved_beyond_what_a_file_may_hold(bench: Any) -> None:
    """One such call would take it all at once, and a limit of the size of files does not bind it."""
    outcome = bench.run("""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
file = os.open('x.bin', os.O_RDWR | os.O_CREAT)
for mode in (0, 1):
    libc.fallocate(file, mode, ctypes.c_long(0), ctypes.c_long(300 * 2**20))
print(os.fstat(file).st_blocks)
os.posix_fallocate(file, 0, 100_000)
print(os.fstat(file).st_size)
""")
    assert outcome.output == "0\n100000\n", outcome


def test_runaways_leave_others_untouched(bench: Any) -> None:
    """A fork bomb, a full disk and an endless loop beside a program that computes."""
    bad = [threading.Thread(target=bench.run, args=("import os\n" + ENDED[name][0],), kwargs={"cpu": 2})
           for name in ("fork bomb", "fill the disk", "thread bomb")]  # fmt: skip
    for one in bad:
        one.start()
    good = [bench.run("open('x', 'wb').write(bytes(2**20)); print(sum(range(10**5)))") for _ in range(3)]
    for one in bad:
        one.join()
    assert [outcome.output for outcome in good] == ["4999950000\n"] * 3


def test_poisoned_run_changes_nothing_for_the_next(bench: Any) -> None:
    """Attempts to leave something behind: in modules, in the folder for passing files, in the program's own."""
    bench.run("""
import numpy, os, tempfile
numpy.pi = 3
for folder in ('.', tempfile.gettempdir()):
    for name in ('json.py', 'numpy.py', 'sitecustomize.py'):
        open(os.path.join(folder, name), 'w').write('raise SystemExit(9)')
""")
    outcome = bench.run("import json, numpy, os, tempfile; print(numpy.pi > 3.1, os.listdir())")
    assert outcome.output == "True []\n", outcome


def test_program_in_its_folder_shadows_no_module_of_the_keeper(bench: Any) -> None:
    outcome = bench.run("import json; print(json.dumps(1))", [("json.py", b"raise SystemExit(9)")])
    assert outcome.output == "1\n"


def test_files_that_do_not_fit_are_told(bench: Any) -> None:
    outcome = bench.run("print(1)", [("a", b"file"), ("a/b", b"in a folder of that name")])
    assert (outcome.reason, outcome.output, outcome.changed, outcome.deleted) == ("disk", "", (), ())
    assert "do not fit into the folder" in outcome.errors


WRECKING = {
    "a folder that only lists": (
        "done",
        "import time\nos.mkdir('.d'); open('.d/x', 'w').close(); os.chmod('.d', 0o400); time.sleep(0.2)",
    ),
    "another function in the place of the last one": ("done", "os._exit = print"),
    "output streams that raise to the end": (
        "done",
        """
import sys
class Evil:
    def write(self, text): raise KeyboardInterrupt
    def flush(self): raise SystemExit(9)
sys.stdout = sys.stderr = Evil()
""",
    ),
    "names that are of no class": (
        "done",
        "class Evil:\n    __class__ = property(lambda self: 1 / 0)\nevil = Evil()",
    ),
    "folders too deep to be looked into": (
        "disk",
        """
try:
    while True:
        os.mkdir('d' * 200)
        os.chdir('d' * 200)
except OSError:
    pass
""",
    ),
    "a file in the place of the folder for figures": (
        "done",
        """
import shutil
figures = os.path.join(os.path.dirname(os.getcwd()), 'figures')
shutil.rmtree(figures)
open(figures, 'w').close()
""",
    ),
    "its own folder moved away": ("done", "os.rename(os.getcwd(), os.getcwd() + '-gone')"),
    "every descriptor closed": ("error", "os.closerange(0, 200)\nprint(1)"),
    "an exception that cannot be told": (
        "error",
        """
class Evil(Exception):
    def __str__(self):
        raise SystemExit(0)
raise Evil
""",
    ),
}


@pytest.mark.parametrize("name", WRECKING)
def test_wrecked_surroundings_are_no_fault_of_the_sandbox(bench: Any, name: str) -> None:
    """What the program has printed is told, with the true reason of its end, whatever it leaves to be collected."""
    reason, code = WRECKING[name]
    outcome = bench.run(f"import os\nprint('so far', flush=True)\nopen('kept.txt', 'w').write('x')\n{code}")
    assert (outcome.reason, outcome.output) == (reason, "so far\n"), outcome
    if "moved away" not in name:
        assert list(outcome.changed) == [("kept.txt", b"x")]
