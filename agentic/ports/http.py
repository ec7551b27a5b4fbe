"""Port: the HTTP client for addresses that a model, a page or a user gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address answered with, whatever the status.

    ``url`` is where the answer came from, after redirects. ``media_type`` is in lower case and without parameters,
    ``charset`` as the header names it; both are empty where it says nothing. ``data`` is decompressed.
    """

    url: str
    status: int
    media_type: str
    charset: str
    data: bytes


class HttpClient(Protocol):
    """Fetches what strangers name, and lets none of them reach what only this machine can.

    Public addresses on the web's ports alone are reached, and what FETCH_ALLOW adds. Each name is resolved once, all
    its addresses are checked, and one of those is connected to; each redirect is checked like the first address. No
    cookies are kept, and no proxies are taken from the environment. Services at addresses that the operator
    sets, which may be within, are for :mod:`agentic.services`.
    """

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 20,
        max_bytes: int = 5_000_000,
    ) -> Fetched:
        """GET an ``http`` or ``https`` address, over at most five redirects.

        ``timeout_s`` bounds all of it, ``max_bytes`` the decompressed answer. ``headers`` other than Accept and
        Accept-Language are not sent on to another origin. Raises AddressRefused for an address that may not be
        reached, FetchError for one that cannot be or that passes a limit; both are ToolErrors, written for a model.
        """
        ...
