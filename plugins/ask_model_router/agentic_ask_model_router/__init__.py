"""A router that asks the model which agent shall answer."""

from agentic import hookimpl
from agentic_ask_model_router.router import AskModel


@hookimpl
def agentic_routers() -> AskModel:
    """The router ``ask_model``; it is off unless ROUTER names it."""
    return AskModel()
