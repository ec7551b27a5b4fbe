"""Plan all steps at once, run them as a graph, answer, and check the answer."""

from agentic import hookimpl
from agentic_plan_execute.agent import PlanExecute
from agentic_plan_execute.settings import Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """PLAN_EXECUTE_MAX_ROUNDS."""
    return Settings


@hookimpl
def agentic_agents(settings: Settings) -> PlanExecute:
    """The agent ``plan_execute``."""
    return PlanExecute(settings.plan_execute_max_rounds)
