"""Deleting all conversations of a user."""

from __future__ import annotations

from collections import Counter

from agentic.errors import SessionNotFound
from agentic.messages import Json
from agentic.ports.paging import every
from agentic.ports.space import Principal
from agentic.runtime.conversations import CONVERSATIONS
from agentic.runtime.engine import Engine

_PAGE = 100


async def delete_conversations(engine: Engine, principal: Principal) -> Json:
    """Delete all conversations of a principal, as :meth:`Engine.delete_conversation` does; what was removed, counted.

    What is at work is cancelled and waited for, also where its conversation is not stored yet. Raises StorageError
    where a damaged one is left, which no page shows.
    """
    removed: Counter[str] = Counter(conversations=0, messages=0, runs=0, files=0, kept_by_plugins=0)
    at_work = engine.at_work(principal).values()
    for live in at_work:
        live.cancel()
    for live in at_work:
        async with engine.turn(live.session_id, principal):
            pass
    while heads := await engine.conversations(principal).page(after=None, limit=_PAGE):
        for head in heads:
            try:
                receipt = await engine.delete_conversation(head["session_id"], principal)
            except SessionNotFound:
                # Somebody else has deleted it since it was listed.
                continue
            removed["conversations"] += 1
            removed.update({name: receipt[name] for name in removed if name != "conversations"})
    async for _ in every(engine.conversations(principal).owned.storage, CONVERSATIONS):
        # Reading each tells of those that cannot be read.
        pass
    return {"deleted": True, **removed}
