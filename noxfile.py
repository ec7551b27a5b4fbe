"""What must hold: ``uv run nox`` runs it all, ``uv run nox -s lint`` one session."""

from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "tests"]

PLUGINS = sorted(path.name for path in Path("plugins").iterdir() if (path / "pyproject.toml").exists())


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Format, lint, types, and the dependency rule."""
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """The tests of the kernel and of every plugin, in the project's environment."""
    session.run("pytest", *session.posargs)
