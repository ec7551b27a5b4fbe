"""Plain conversation with the model."""

from agentic import hookimpl
from agentic_chat.agent import Chat


@hookimpl
def agentic_agents() -> Chat:
    """The agent ``chat``."""
    return Chat()
