"""Who answers a run: its model is found, its agent decided on, and let act."""

from __future__ import annotations

import logging
from functools import partial

from agentic.errors import BadRequest, ModelError
from agentic.events import Notice
from agentic.messages import Json
from agentic.models.directory import Chosen, Directory
from agentic.runtime.conversations import Turn
from agentic.runtime.equipment import Equipment
from agentic.runtime.journal import Journal
from agentic.runtime.request import RunRequest
from agentic.runtime.resume import PATIENCE_S, patiently
from agentic.runtime.router import Route, Router, explained
from agentic.runtime.run import LiveRun

logger = logging.getLogger(__name__)


class Casting:
    """Finds a run's model and agent, and gives the agent its handles. One an engine."""

    def __init__(self, equipment: Equipment, router: Router, directory: Directory) -> None:
        self._equipment = equipment
        self._router = router
        self._directory = directory

    async def explain(self, unborn: LiveRun, route: Route, turn: Turn) -> Json:
        """What :meth:`work` would decide, and why, see :func:`explained`; raises what it would raise."""
        chosen = await self._model(unborn.request, route, turn)
        task = await self._equipment.task(unborn, chosen, turn, bidding=route.bidding)
        _, decided = await self._router.choose(route, task, partial(self._equipment.unheard_model, unborn, chosen))
        return explained(decided, task, chosen.id)

    async def work(self, live: LiveRun, journal: Journal, route: Route, turn: Turn) -> None:
        """Resolve the model, decide on the agent, and let it act."""
        patience_s = PATIENCE_S if live.restored is not None else 0
        chosen = await patiently(lambda: self._model(live.request, route, turn), patience_s)
        task = await self._equipment.task(live, chosen, turn, bidding=route.bidding)
        agent, decided = await self._router.choose(route, task, partial(self._equipment.unheard_model, live, chosen))
        live.agent, live.is_plain = decided.agent, route.plain
        live.model_id = chosen.id
        live.channel.emit(decided)
        # A stranger's agent may put the user's words into its reason.
        bids = " ".join(f"{bid['agent']}={bid['fitness']}" for bid in decided.bids)
        logger.info(
            "[Router] Agent selected: run=%s agent=%s by=%s bids: %s",
            live.id, decided.agent, decided.router, bids or "none",
        )  # fmt: skip
        if chosen.info.notice:
            live.channel.emit(Notice(chosen.info.notice))
            logger.info("[Engine] %s", chosen.info.notice)
        try:
            await agent.run(await self._equipment.agent_run(live, journal, chosen, task, turn))
        except ModelError:
            # What is known of the model may be out of date, such as whether it takes tools.
            self._directory.doubt(chosen)
            raise
        except SystemExit as error:
            # Out of a task it would end the server.
            raise RuntimeError("the agent called sys.exit") from error

    async def _model(self, request: RunRequest, route: Route, turn: Turn) -> Chosen:
        """The model that the run is to have. Raises BadRequest where it cannot do what the request asks of it."""
        chosen = await (self._directory.find(route.model) if route.model else self._directory.default())
        if request.wishes.answer_schema is not None and not chosen.info.schema:
            raise BadRequest(f"The model '{chosen.id}' cannot be held to a response_format.", param="response_format")
        if not chosen.info.vision and any(message.images for message in turn.messages):
            raise BadRequest(f"The model '{chosen.id}' takes no pictures; ask one that does.", param="messages")
        return chosen
