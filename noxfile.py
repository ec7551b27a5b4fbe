"""What must hold: ``uv run --all-groups nox`` runs it all, with ``-s lint`` one session."""

import json
import os
from pathlib import Path

import nox

nox.options.sessions = ["lint", "alone", "tests"]
# Sessions run in the environment that uv has made from the lock file, or make their own from it.
nox.options.default_venv_backend = "none"

ROOT = Path(__file__).parent
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))
UV = os.environ.get("UV", "uv")
# Whole servers under load share the machine with whatever else it does: what fails is tried twice more, and shown.
AGAIN = ("--reruns", "2", "--reruns-delay", "1", "-rR")


@nox.session
def lint(session: nox.Session) -> None:
    """Format, lint, types, the dependency rule, and a lock file that fits the projects."""
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")
    session.run("mypy", "--strict", *(f"plugins/{plugin}/agentic_{plugin}" for plugin in PLUGINS))
    session.run("lint-imports")
    session.run(UV, "lock", "--check", "--quiet", external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """The tests of the kernel and of the whole system, in the project's environment with all plugins."""
    session.run("pytest", *AGAIN, *(session.posargs or ["tests"]))


@nox.session
@nox.parametrize("plugin", PLUGINS)
def alone(session: nox.Session, plugin: str) -> None:
    """One plugin with the kernel and no other: it is discovered, offers something, and its tests pass."""
    place = ROOT / ".nox" / f"alone-{plugin}"
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
