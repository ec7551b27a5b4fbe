"""What not every client of OpenAI's asks for: made when the first one does, see :mod:`agentic.server.late`."""

from __future__ import annotations

from starlette.routing import Route

from agentic.server import routes_embeddings, routes_responses

ROUTES: list[Route] = [*routes_responses.ROUTES, *routes_embeddings.ROUTES]
