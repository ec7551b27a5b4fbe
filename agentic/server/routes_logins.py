"""``/api/auth/login/{provider}``: signing in at a provider, with the browser sent there and back."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from agentic.errors import AgenticError, BadRequest, NotFound
from agentic.identity.passes import LIFETIME_S
from agentic.kernel import Kernel
from agentic.messages import dump
from agentic.ports.login import LoginProvider
from agentic.server.routes_auth import signed_in

router = APIRouter(prefix="/api/auth", tags=["auth"])

COOKIE = "agentic_login"
_PATH = re.compile(r"/(?![/\\])[\x21\x22\x24-\x5b\x5d-\x7e]*")
"""A path on this server: no browser reads it as the address of another one."""
_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class ProviderShown(BaseModel):
    """A place to sign in; ``url`` is where to send the browser."""

    name: str
    title: str
    url: str


class ProviderList(BaseModel):
    """Places to sign in, in the order in which to offer them."""

    logins: list[ProviderShown]


@router.get("/logins")
async def list_logins(request: Request) -> ProviderList:
    """The places besides this server where one can sign in."""
    kernel: Kernel = request.app.state.kernel
    found = kernel.catalog.logins().values()
    return ProviderList(
        logins=[ProviderShown(name=one.name, title=one.title, url=f"/api/auth/login/{one.name}") for one in found]
    )


@router.get("/login/{provider}")
async def begin_login(
    provider: str,
    request: Request,
    return_to: Annotated[str, Query(max_length=1000, description="Path or allowed origin to come back to")] = "",
) -> Response:
    """Send the browser to a provider to sign in; it comes back to ``return_to`` with the token behind a #."""
    kernel: Kernel = request.app.state.kernel
    chosen = _provider(kernel, provider)
    _check_return(return_to, kernel.settings.cors_origins)
    back = _callback(request, kernel, provider)
    started = await chosen.start(back)
    await kernel.identity.passes.ready()
    response = RedirectResponse(started.url, 303, _NO_STORE)
    response.set_cookie(
        COOKIE,
        kernel.identity.passes.give(provider, started.kept, return_to),
        max_age=LIFETIME_S,
        path=urlsplit(back).path,
        secure=back.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/login/{provider}/callback")
async def finish_login(provider: str, request: Request) -> Response:
    """Where a provider sends the browser back to: answers with the token, or goes on to ``return_to`` with it."""
    kernel: Kernel = request.app.state.kernel
    chosen = _provider(kernel, provider)
    back = _callback(request, kernel, provider)
    given = request.cookies.get(COOKIE, "")
    await kernel.identity.passes.ready()
    return_to = kernel.identity.passes.read(provider, given).return_to
    try:
        done = signed_in(await kernel.identity.login_elsewhere(chosen, given, dict(request.query_params), back))
    except AgenticError as error:
        if not return_to:
            raise
        told = {"error": error.code or error.type, "error_description": error.message}
        response: Response = RedirectResponse(f"{return_to}#{urlencode(told)}", 303, _NO_STORE)
    else:
        token = done.model_dump(include={"access_token", "token_type", "expires_in"})
        if return_to:
            # Behind a #, so that neither a proxy nor a log on the way there sees it.
            response = RedirectResponse(f"{return_to}#{urlencode(token)}", 303, _NO_STORE)
        else:
            response = Response(dump(done.model_dump()), headers=_NO_STORE, media_type="application/json")
    response.delete_cookie(COOKIE, path=urlsplit(back).path)
    return response


def _provider(kernel: Kernel, name: str) -> LoginProvider:
    chosen = kernel.catalog.logins().get(name)
    if chosen is None:
        raise NotFound("There is no such place to sign in.", param="provider")
    return chosen


def _callback(request: Request, kernel: Kernel, provider: str) -> str:
    """The address that the provider sends the browser back to, the same one at both ends of a login."""
    base = (kernel.settings.public_url or str(request.base_url)).rstrip("/")
    return f"{base}/api/auth/login/{provider}/callback"


def _check_return(return_to: str, origins: list[str]) -> None:
    """Raises BadRequest for what would hand the token to a stranger's page."""
    if not return_to or _PATH.fullmatch(return_to):
        return
    known = [origin.rstrip("/") for origin in origins if origin.startswith(("https://", "http://"))]
    origin = next((one for one in known if f"{return_to}/".startswith(f"{one}/")), None)
    if origin is None or not _PATH.fullmatch(return_to.removeprefix(origin) or "/"):
        raise BadRequest("return_to is a path on this server, or a page of CORS_ORIGINS", param="return_to")
