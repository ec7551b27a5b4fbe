"""``python -m agentic``: the command line, where no script is on the path."""

from agentic.cli.main import main

if __name__ == "__main__":
    main()
