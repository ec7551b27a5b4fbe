"""Plain conversation with the model."""

from agentic import Agent, hookimpl


@hookimpl
def agentic_agents() -> Agent:
    """The agent ``chat``."""
    from agentic_chat.agent import Chat

    return Chat()
