"""What must hold: ``uv run --all-groups nox`` runs it all, with ``-s lint`` one session."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

import nox

nox.options.sessions = ["side_by_side", "tests"]
# Sessions run in the environment that uv has made from the lock file, or make their own from it.
nox.options.default_venv_backend = "none"

ROOT = Path(__file__).parent
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))
# Those whose tests take longest come first, so that none of them is left over at the end.
LONG = ("blobs_s3", "llamacpp", "math", "openai_upstream", "postgres", "python_exec", "sql", "vectors_chroma")
UV = os.environ.get("UV", "uv")
# Whole servers under load share the machine with whatever else it does: what fails is tried twice more, and shown.
AGAIN = ("--reruns", "2", "--reruns-delay", "1", "-rR")
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# Tests start hundreds of processes, each of which would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@nox.session
def lint(session: nox.Session) -> None:
    """Format, lint, types, the dependency rule, and a lock file that fits the projects."""
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")
    # Nobody runs all of it in every change, and so would not see what no longer fits.
    session.run("mypy", "bench", "--ignore-missing-imports")
    session.run("mypy", "--strict", *(f"plugins/{plugin}/agentic_{plugin}" for plugin in PLUGINS))
    session.run("lint-imports")
    session.run(UV, "lock", "--check", "--quiet", external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """The tests of the kernel and of the whole system, in the project's environment with all plugins."""
    # The tests of a file stay in one process: they share servers.
    beside = ("-n", str(min(PROCESSORS, 4)), "--dist", "loadfile")
    session.run("pytest", *beside, *AGAIN, *(session.posargs or ["tests"]))


@nox.session
@nox.parametrize("plugin", PLUGINS)
def alone(session: nox.Session, plugin: str) -> None:
    """One plugin with the kernel and no other: it is discovered, offers something, and its tests pass."""
    # One plugin after another has the same place: uv takes out what the next does not require, and what both do
    # stays compiled.
    place = ROOT / ".nox" / os.environ.get("ALONE_IN", "alone")
    environment = {"UV_PROJECT_ENVIRONMENT": str(place), "VIRTUAL_ENV": str(place)}
    # The root's group `dev` has what tests need; the plugins of its other groups must not be there.
    session.run(
        UV, "sync", "--frozen", "--quiet", "--no-default-groups", "--group", "dev",
        "--package", "agentic-server", "--package", f"agentic-plugin-{plugin.replace('_', '-')}",
        env=environment, external=True,
    )  # fmt: skip
    python = str(place / "bin/python")
    listed = session.run(
        python, "-m", "agentic", "plugins", "list", "--json", env=environment, external=True, silent=True
    )
    found = json.loads(str(listed))
    if [one["name"] for one in found] != [plugin] or found[0]["state"] == "quarantined" or not found[0]["capabilities"]:
        session.error(f"alone, plugin {plugin} is not what is discovered: {found}")
    session.run(python, "-m", "pytest", f"plugins/{plugin}", *AGAIN, *session.posargs, env=environment, external=True)


@nox.session
def side_by_side(session: nox.Session) -> None:
    """Lint, and every plugin alone: as many at once as there are processors, each shown whole when it has ended."""
    plugins = sorted(PLUGINS, key=lambda plugin: (plugin not in LONG, plugin))
    names = ["lint", *(f"alone(plugin={plugin!r})" for plugin in plugins)]
    places: SimpleQueue[str] = SimpleQueue()
    for number in range(PROCESSORS):
        places.put(f"alone-{number}")

    def run(name: str) -> subprocess.CompletedProcess[str]:
        place = places.get()
        try:
            command = [sys.executable, "-m", "nox", "-s", name, "--", *session.posargs]
            return subprocess.run(
                command, cwd=ROOT, env={**os.environ, "ALONE_IN": place}, text=True, errors="replace", check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        finally:
            places.put(place)

    failed = {}
    with ThreadPoolExecutor(PROCESSORS) as pool:
        running = {pool.submit(run, name): name for name in names}
        for ended in as_completed(running):
            show(ended.result().stdout)
            if ended.result().returncode:
                failed[running[ended]] = ended.result().stdout
    if failed:
        # Once more, where it is looked for.
        show("".join(failed.values()))
        session.error(f"failed: {', '.join(failed)}")


def show(said: str) -> None:
    sys.stdout.write(said)
    sys.stdout.flush()
