"""``python -m agentic``: the command line, where no script is on the path."""

from agentic_command import main

if __name__ == "__main__":
    main()
