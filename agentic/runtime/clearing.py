"""Deleting all conversations of a user, or one run."""

from __future__ import annotations

from collections import Counter

from agentic.errors import SessionNotFound
from agentic.messages import Json
from agentic.ports.paging import every
from agentic.ports.space import Principal
from agentic.runtime.conversations import CONVERSATIONS
from agentic.runtime.engine import Engine
from agentic.runtime.record import session_of

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
    seen: set[str] = set()
    while heads := await engine.conversations(principal).page(after=None, limit=_PAGE):
        # In a storage that people may edit, what is listed need not be a conversation.
        if seen.issuperset(head["session_id"] for head in heads):
            break
        for head in heads:
            seen.add(head["session_id"])
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


async def end_run(engine: Engine, run_id: str, principal: Principal) -> None:
    """End a run of a principal where it is at work, and wait until what there is of it is stored."""
    live = engine.at_work(principal).get(run_id)
    if live is not None:
        live.cancel()
        await live.log()


async def delete_run(engine: Engine, run_id: str, principal: Principal) -> bool:
    """End a run and delete it, see :meth:`Conversations.delete_run`. Raises NotFound."""
    conversations = engine.conversations(principal)
    await end_run(engine, run_id, principal)
    session_id = await session_of(conversations.owned.storage, run_id)
    async with engine.turn(session_id, principal):
        return await conversations.delete_run(session_id, run_id)
