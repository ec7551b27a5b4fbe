"""Fetching over aiohttp: the address that was checked is the one that is connected to, on each hop anew.

aiohttp asks the resolver below for every new connection to a name, and connects to what it gives and nothing else; so a
name that answers differently the next time is checked the next time. A pooled connection leads to where it was checked.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from agentic.errors import AddressRefused, FetchError
from agentic.net.client import Lookup
from agentic.net.reach import Reach, host_of
from agentic.ports.http import Fetched

_REDIRECTS = 5
_REDIRECT_STATUSES = (301, 302, 303, 307, 308)
_SILENCE_S = 15.0
_CONNECT_S = 10.0
_LONGEST_URL = 8000
_KEPT_ELSEWHERE = ("accept", "accept-language")
_OWN_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; agentic)",
    # What the kernel can always decompress, in pieces of bounded size.
    "Accept-Encoding": "gzip, deflate",
}
_ALLOWED = "only public web addresses are fetched. The operator can allow others with FETCH_ALLOW."


class GuardedResolver(AbstractResolver):
    """Resolves a name once and gives all its addresses, or refuses it if one of them may not be reached."""

    def __init__(self, reach: Reach, lookup: Lookup) -> None:
        self._reach = reach
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See :class:`AbstractResolver`. Raises AddressRefused, or FetchError for a name that leads nowhere."""
        name = host.lower().removesuffix(".")
        try:
            addresses = [ip_address(one.partition("%")[0]) for one in await self._lookup(host, port)]
        except (OSError, UnicodeError) as error:
            raise FetchError(f"There is no host called {name}.") from error
        if not addresses:
            raise FetchError(f"There is no host called {name}.")
        if not self._reach.trusts(name) and not all(self._reach.admits(one, port) for one in addresses):
            raise AddressRefused(f"{name} is not fetched: {_ALLOWED}")
        return [
            ResolveResult(
                hostname=host,
                host=str(one),
                port=port,
                family=socket.AF_INET if one.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for one in dict.fromkeys(addresses)
        ]

    async def close(self) -> None:
        """Nothing is held."""


class Session:
    """One pool of connections, without cookies and without proxies."""

    def __init__(self, reach: Reach, lookup: Lookup) -> None:
        self._reach = reach
        # With its own cache of names aiohttp would not ask the resolver, and so not check, for some seconds.
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(reach, lookup), use_dns_cache=False, limit=64, limit_per_host=8
        )
        self._client = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            headers=_OWN_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S),
        )

    async def get(self, url: str, *, headers: Mapping[str, str], timeout_s: float, max_bytes: int) -> Fetched:
        """See :class:`agentic.ports.http.HttpClient`."""
        target = self._checked(_parsed(url))
        try:
            async with asyncio.timeout(timeout_s):
                return await self._follow(target, dict(headers), max_bytes)
        except TimeoutError as error:
            raise FetchError(f"{target.host} did not answer in time; the limit is {timeout_s:g} s.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise FetchError(f"{target.host} {_fault(error)}.") from error
        except ValueError as error:
            # Headers that are no HTTP, on either side.
            raise FetchError(f"{target.host} does not speak proper HTTP.") from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _follow(self, target: URL, headers: dict[str, str], max_bytes: int) -> Fetched:
        first = target
        for _ in range(_REDIRECTS + 1):
            async with self._client.get(target, headers=headers, allow_redirects=False) as response:
                location = response.headers.get("Location", "")
                if response.status not in _REDIRECT_STATUSES or not location:
                    return await _whole(response, max_bytes)
            following = self._redirected(target, location)
            if following.origin() != target.origin():
                headers = {name: value for name, value in headers.items() if name.lower() in _KEPT_ELSEWHERE}
            target = following
        raise FetchError(f"{first.host} redirects more than {_REDIRECTS} times.")

    def _redirected(self, target: URL, location: str) -> URL:
        try:
            return self._checked(target.join(_parsed(location, within=target)))
        except AddressRefused as error:
            raise AddressRefused(f"{target.host} redirects to an address that is not fetched: {_ALLOWED}") from error

    def _checked(self, url: URL) -> URL:
        """The URL, if it may be asked for as far as can be told before its name is resolved."""
        if url.scheme not in ("http", "https"):
            raise AddressRefused("Only http and https addresses are fetched.")
        if url.raw_user is not None or url.raw_password is not None:
            raise AddressRefused("An address with a user name or password in it is not fetched.")
        host = host_of(url.raw_host or "")
        if host is None:
            raise AddressRefused("The host of this address is neither a name nor an address in its usual form.")
        port = url.port or 0
        if isinstance(host, str):
            if not self._reach.admits_name(host):
                raise AddressRefused(f"{host} is not fetched: {_ALLOWED}")
        elif not self._reach.admits(host, port):
            raise AddressRefused(f"{host} is not fetched: {_ALLOWED}")
        return url


def _parsed(url: str, within: URL | None = None) -> URL:
    """The URL as aiohttp will read it. Raises AddressRefused for what readers of URLs understand differently."""
    text = url.strip()
    if len(text) > _LONGEST_URL:
        raise AddressRefused(f"The address is longer than {_LONGEST_URL} characters.")
    if any(ord(sign) < 0x20 or ord(sign) == 0x7F or sign == "\\" for sign in text):
        raise AddressRefused("The address holds control characters or backslashes.")
    try:
        parsed = URL(text)
        # Both are read only now: a name in IDNA (xn--) may be none.
        _ = parsed.host, parsed.port
    except ValueError as error:
        raise AddressRefused("This is not an address.") from error
    if within is None and not (parsed.scheme and parsed.host):
        raise AddressRefused("The address must begin with http:// or https:// and a host.")
    return parsed


async def _whole(response: aiohttp.ClientResponse, max_bytes: int) -> Fetched:
    """The answer with its whole body; what passes the limit is given up as soon as it does."""
    too_large = FetchError(f"The answer of {response.url.host} is larger than {max_bytes:,} bytes.")
    if response.content_length is not None and response.content_length > max_bytes:
        raise too_large
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > max_bytes:
            raise too_large
    named = "Content-Type" in response.headers
    return Fetched(
        url=str(response.url),
        status=response.status,
        media_type=response.content_type.lower() if named else "",
        charset=(response.charset or "") if named else "",
        data=bytes(data),
    )


def _fault(error: Exception) -> str:
    """What went wrong, in words that hold no address and no text of the other side."""
    if isinstance(error, aiohttp.ClientSSLError):
        return "has no certificate that can be trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "cannot be reached"
    if isinstance(error, (aiohttp.ClientResponseError, aiohttp.ClientPayloadError)):
        return "gave an answer that cannot be read"
    return "broke off the connection"
