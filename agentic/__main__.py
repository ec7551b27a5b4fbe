"""``python -m agentic``: the command line, where no script is on the path."""

from agentic.cli.main import app

if __name__ == "__main__":
    app(prog_name="agentic")
