"""One call of a provider: counted against the budget, logged as events, and closed as soon as nobody reads it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from agentic.errors import AgenticError, BudgetExceeded, ModelError, RunEnded
from agentic.events import ModelFinished, ModelStarted
from agentic.messages import Json, Message, Usage
from agentic.models.directory import Chosen
from agentic.models.gauge import Gauge
from agentic.models.ledger import Log, Purse
from agentic.ports.model import ModelDelta, ModelRequest, Sampling, ToolSpec

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Caller:
    """Calls one model for one run; ``whole``: nobody reads the run along.

    ``refuse`` is awaited before an error is raised because of a limit, or after the end. ``gauge`` learns what models
    count.
    """

    chosen: Chosen
    log: Log
    purse: Purse
    refuse: Callable[[AgenticError], Awaitable[None]]
    gauge: Gauge
    whole: bool = False

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[ToolSpec] = (),
        schema: Json | None = None,
        sampling: Sampling,
        mode: str = "none",
    ) -> AsyncGenerator[ModelDelta, None]:
        """The provider's own deltas. Raises ModelError if the answer ends without a finish."""
        info, provider = self.chosen.info, self.chosen.provider
        await self._begin(ModelStarted(provider=provider.name, model=info.id, mode=mode))
        request = ModelRequest(
            model=info.id, messages=messages, tools=tools, schema=schema, sampling=sampling, whole=self.whole
        )
        finish, usage, error = "", Usage(), "cancelled"
        deltas: AsyncIterator[ModelDelta] | None = None
        try:
            deltas = provider.stream(request)
            async for delta in deltas:
                if delta.finish:
                    finish = delta.finish
                if delta.usage is not None:
                    usage = delta.usage
                yield delta
            if not finish:
                raise ModelError("The model server ended its answer in the middle.")
            error = ""
        except AgenticError as known:
            error = known.message
            raise
        except (Exception, SystemExit) as bug:
            logger.exception("[Models] Provider failed: %s", provider.name)
            error = f"model provider {provider.name} failed: {type(bug).__name__}"
            raise ModelError(error) from bug
        finally:
            await self._close(deltas)
            self.purse.spend(usage)
            self.gauge.learn(request, usage.prompt, info.context)
            self.log.note(ModelFinished(usage=usage, finish=finish or "error", error=error))

    async def _begin(self, started: ModelStarted) -> None:
        try:
            self.purse.take_model_call()
            self.log.emit(started)
        except (BudgetExceeded, RunEnded) as error:
            await self.refuse(error)
            raise

    async def _close(self, deltas: AsyncIterator[ModelDelta] | None) -> None:
        close = getattr(deltas, "aclose", None)
        if close is None:
            return
        try:
            await close()
        except (Exception, SystemExit):
            logger.exception("[Models] Provider failed: %s", self.chosen.provider.name)
