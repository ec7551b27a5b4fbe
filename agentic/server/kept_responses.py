"""The responses of one user that can be asked for again: each is read from the log of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agentic.errors import BadRequest, NotFound
from agentic.events import Entry, RunFailed, RunFinished, RunStarted, entry_from_json
from agentic.messages import Json
from agentic.ports.space import Principal
from agentic.runtime.engine import Engine
from agentic.runtime.replay import standing
from agentic.runtime.request import RunRequest
from agentic.server.bodies import checked
from agentic.server.dialects.responses import ResponseWriter
from agentic.server.dialects.responses_body import InputItem, ItemList
from agentic.server.dialects.responses_ids import no_response, response_id, run_of, run_of_item
from agentic.server.dialects.responses_input import input_items

MOST_REFERENCES = 1000


class KeptResponses:
    """What the principal's runs have answered in this dialect, unless their requests wanted it not to be kept."""

    def __init__(self, engine: Engine, principal: Principal) -> None:
        self._engine = engine
        self._principal = principal

    async def entries(self, response: str, *, param: str | None = None) -> list[Entry]:
        """The log of a response's run, or what there is of it so far. Raises NotFound."""
        run_id = run_of(response)
        try:
            found = await self._engine.get_trace(run_id, self._principal)
        except NotFound:
            raise no_response(response, param) from None
        if not found[0].get("asked", {}).get("store"):
            raise no_response(response, param)
        return standing([entry_from_json(one) for one in found])

    async def placed(self, request: RunRequest, previous: str | None) -> RunRequest:
        """The request, in the conversation of the response that it goes on after. Raises NotFound."""
        if previous is None:
            return request
        entries = await self.entries(previous, param="previous_response_id")
        return replace(request, after=run_of(previous), session_id=_session_of(entries))

    async def input_items(self, response: str) -> list[Json]:
        """What a response's request has added to its conversation, in the order in which it came. Raises NotFound."""
        return await self._given(response, await self.entries(response))

    async def items(self, wanted: Mapping[str, str]) -> dict[str, Sequence[InputItem]]:
        """The items that a request refers to, by their ids; ``wanted`` gives the place of each in the request.

        Raises NotFound for an item that there is not, or that is somebody else's, and BadRequest for too many.
        """
        if len(wanted) > MOST_REFERENCES:
            raise BadRequest(f"input: at most {MOST_REFERENCES} items can be referred to.", param="input")
        known: dict[str, dict[str, Json]] = {}
        found: dict[str, Sequence[InputItem]] = {}
        for item, place in wanted.items():
            run_id = run_of_item(item)
            if run_id not in known:
                known[run_id] = await self._items_of(run_id)
            if item not in known[run_id]:
                raise NotFound(f"There is no item '{item[:64]}'.", param=place)
            found[item] = checked(ItemList, {"items": [known[run_id][item]]}).items
        return found

    async def _items_of(self, run_id: str) -> dict[str, Json]:
        """All items of a response and its request by their ids; none where there is no such response."""
        response = response_id(run_id)
        try:
            entries = await self.entries(response)
        except NotFound:
            return {}
        output = ResponseWriter(run_id, {}, "").whole(entries)["output"]
        return {item["id"]: item for item in (*await self._given(response, entries), *output)}

    async def _given(self, response: str, entries: Sequence[Entry]) -> list[Json]:
        run_id = run_of(response)
        log = await self._engine.conversations(self._principal).log(_session_of(entries))
        own = [item for item in log if item.get("run_id") == run_id]
        return input_items(run_id, own, is_answered=isinstance(entries[-1].event, (RunFinished, RunFailed)))


def _session_of(entries: Sequence[Entry]) -> str:
    started = entries[0].event
    assert isinstance(started, RunStarted)
    return started.session_id
