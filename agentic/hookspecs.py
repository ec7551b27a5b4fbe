"""Every extension point of agentic: this file is the reference.

A plugin is an installed distribution with an entry point in group ``agentic`` that names a module::

    [project.entry-points.agentic]
    dice = "agentic_dice"

The module marks functions with ``agentic.hookimpl`` and gives them the names below. A hook is called once, at start;
it is synchronous and cheap, and returns objects whose methods are async. A hook may leave out arguments that it does
not need, and may return one object, an iterable of them, or None.

``settings`` is an instance of the class that the plugin's own ``agentic_settings`` returned, else None.

A plugin that fails to import, has a wrong signature or an unknown hook, takes a name that is taken, or has invalid
settings is set aside by itself: ``agentic plugins list`` names the cause and the fix, and everything else works.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy
from pydantic import BaseModel

from agentic.ports.agent import Agent
from agentic.ports.blobs import BlobStore
from agentic.ports.documents import DocumentReader, Indexer
from agentic.ports.embedder import EmbedderProvider
from agentic.ports.login import LoginProvider
from agentic.ports.model import ModelProvider
from agentic.ports.router import Router
from agentic.ports.storage import StorageBackend
from agentic.ports.texts import TextIndex
from agentic.ports.tool import NotConfigured, Tool
from agentic.ports.vectors import VectorStore

hookspec = pluggy.HookspecMarker("agentic")
hookimpl = pluggy.HookimplMarker("agentic")


@hookspec
def agentic_settings() -> type[BaseModel] | None:
    """The plugin's settings: a pydantic model whose field names are the names of environment variables.

    Values come from the environment and ``.env``; an empty one counts as unset. Example::

        class Settings(BaseModel):
            dice_max_sides: int = 1000      # DICE_MAX_SIDES

        @hookimpl
        def agentic_settings():
            return Settings
    """


@hookspec
def agentic_tools(settings: Any, data_dir: Any) -> Tool | NotConfigured | Iterable[Tool | NotConfigured] | None:
    """Tools that models may call. ``data_dir`` is the folder (a ``pathlib.Path``) for local files. Example::

    @tool(examples=["Roll two dice"])
    async def roll_dice(sides: Annotated[int, "faces per die"] = 6) -> str:
        \"\"\"Roll a fair die.\"\"\"
        return str(random.randint(1, sides))

    @hookimpl
    def agentic_tools():
        return roll_dice
    """


@hookspec
def agentic_agents(settings: Any) -> Agent | NotConfigured | Iterable[Agent | NotConfigured] | None:
    """Agents, that is, strategies for answering. Each bids for every request; the router picks the fittest. Example::

    class Haiku(Agent):
        name = "haiku"
        description = "Answers in three lines"

        def bid(self, task):
            return Bid(0.9 if "haiku" in task.text.lower() else 0, "asked for a haiku")

        async def run(self, run):
            ask = Message("system", "Answer with one haiku.")
            await run.model.complete([ask, *run.messages], say=True)

    @hookimpl
    def agentic_agents():
        return Haiku()
    """


@hookspec
def agentic_routers(settings: Any) -> Router | NotConfigured | Iterable[Router | NotConfigured] | None:
    """Routers, which choose the agent where the client names none. Off unless ROUTER names one of them. Example::

    class NightShift(Router):
        name = "night_shift"

        async def decide(self, contest):
            if 6 <= time.localtime().tm_hour < 22:
                return None             # by day the auction decides
            return Decision("chat", "tools rest at night")

    @hookimpl
    def agentic_routers():
        return NightShift()
    """


@hookspec
def agentic_model_providers(
    settings: Any, data_dir: Any
) -> ModelProvider | NotConfigured | Iterable[ModelProvider | NotConfigured] | None:
    """Providers of language models. Their libraries are imported when first used, not by this hook.

    ``data_dir`` is the folder (a ``pathlib.Path``) for local files such as weights.
    """


@hookspec
def agentic_embedders(
    settings: Any,
) -> EmbedderProvider | NotConfigured | Iterable[EmbedderProvider | NotConfigured] | None:
    """Providers of embedders, which turn text into vectors."""


@hookspec
def agentic_storage_backends(
    settings: Any, data_dir: Any
) -> StorageBackend | NotConfigured | Iterable[StorageBackend | NotConfigured] | None:
    """Storage backends; STORAGE chooses one by name.

    ``data_dir`` is the folder (a ``pathlib.Path``) for local files.
    """


@hookspec
def agentic_blob_stores(
    settings: Any, data_dir: Any
) -> BlobStore | NotConfigured | Iterable[BlobStore | NotConfigured] | None:
    """Stores of files; BLOBS chooses one by name.

    ``data_dir`` is the folder (a ``pathlib.Path``) for local files.
    """


@hookspec
def agentic_document_readers(
    settings: Any,
) -> DocumentReader | NotConfigured | Iterable[DocumentReader | NotConfigured] | None:
    """Readers, which take uploaded documents apart. Of those that recognise a document the highest-ranked reads it.

    A reader runs in a worker process with limits of time and memory; its library is imported there.
    """


@hookspec
def agentic_indexers(settings: Any) -> Indexer | NotConfigured | Iterable[Indexer | NotConfigured] | None:
    """Indexers, which are told of every document that a user adds or removes."""


@hookspec
def agentic_vector_stores(
    settings: Any, data_dir: Any
) -> VectorStore | NotConfigured | Iterable[VectorStore | NotConfigured] | None:
    """Stores of vectors; VECTOR_DB_TYPE chooses one by name.

    ``data_dir`` is the folder (a ``pathlib.Path``) for local files.
    """


@hookspec
def agentic_text_indexes(
    settings: Any, data_dir: Any
) -> TextIndex | NotConfigured | Iterable[TextIndex | NotConfigured] | None:
    """Full-text indexes; TEXT_INDEX chooses one by name.

    ``data_dir`` is the folder (a ``pathlib.Path``) for local files.
    """


@hookspec
def agentic_logins(
    settings: Any,
) -> LoginProvider | NotConfigured | Iterable[LoginProvider | NotConfigured] | None:
    """Places where people sign in instead of here, at ``/api/auth/login/{name}``. Example::

    class Campus(LoginProvider):
        name = "campus"
        title = "Campus account"

        async def start(self, redirect_uri):
            state = secrets.token_urlsafe()
            query = urlencode({"state": state, "redirect_uri": redirect_uri})
            return LoginStarted(f"https://login.campus.example/?{query}", {"state": state})

        async def finish(self, kept, answer, redirect_uri):
            if answer.get("state") != kept["state"]:
                raise Unauthorized("this login was not begun here")
            person = await self.redeem(answer.get("code", ""))
            return Outsider(issuer="https://login.campus.example", subject=person.id, may_join=True)

    @hookimpl
    def agentic_logins():
        return Campus()
    """
