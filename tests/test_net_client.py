"""The guarded client against attacks, each beside what shows that the same request works where it is allowed."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import ssl
import threading
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from agentic.errors import AddressRefused, FetchError, ToolError
from agentic.net.client import GuardedClient, system_lookup
from agentic.ports.http import Fetched

LOCAL = "127.0.0.0/8"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """A web server on 127.0.0.1: ``pages`` maps a path to what answers there; ``asked`` keeps the requests."""

    def __init__(self) -> None:
        self.pages: dict[str, Handler] = {}
        self.asked: list[web.Request] = []
        self.port = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        handler = self.pages.get(request.path)
        return await handler(request) if handler else web.Response(text="the page", content_type="text/html")

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def redirects(self, path: str, location: str, status: int = 302) -> None:
        async def redirect(_: web.Request) -> web.Response:
            return web.Response(status=status, headers={"Location": location})

        self.pages[path] = redirect

    def sends(self, path: str, **answer: Any) -> None:
        async def send(_: web.Request) -> web.Response:
            return web.Response(**answer)

        self.pages[path] = send


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    runner = web.ServerRunner(web.Server(made.answer), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    place = web.TCPSite(runner, "127.0.0.1", 0)
    await place.start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


class Names:
    """A resolver that answers each name with its next answer, the last one for good; ``asked`` keeps the names."""

    def __init__(self, **answers: Sequence[str] | str) -> None:
        self._answers = {
            name.replace("_", "."): [answer] if isinstance(answer, str) else list(answer)
            for name, answer in answers.items()
        }
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self._answers.get(host)
        if not answers:
            raise OSError(f"unknown: {host}")
        return (answers.pop(0) if len(answers) > 1 else answers[0]).split()


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[..., GuardedClient]]:
    """Makes clients over a resolver of the test's own; without one, a look-up fails the test."""
    made: list[GuardedClient] = []

    def make(*allow: str, lookup: Any = None) -> GuardedClient:
        made.append(GuardedClient(allow, lookup=lookup or Names()))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


ClientOf = Callable[..., GuardedClient]


@asynccontextmanager
async def speaking(answer: bytes) -> AsyncIterator[str]:
    """The address of a server that answers with these bytes and closes."""

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()


async def test_allowed_address_is_fetched_with_its_type_and_charset(site: Site, client_of: ClientOf) -> None:
    site.sends("/a", body="ü".encode("latin-1"), headers={"Content-Type": "Text/HTML; charset=ISO-8859-1"})
    found = await client_of(LOCAL).get(site.url("/a?q=1#part"))
    assert found == Fetched(site.url("/a?q=1"), 200, "text/html", "ISO-8859-1", b"\xfc")
    assert site.asked[0].query_string == "q=1"


async def test_answer_without_a_type_has_none_whatever_its_status(client_of: ClientOf) -> None:
    async with speaking(b"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx") as url:
        assert await client_of(LOCAL).get(url) == Fetched(url, 404, "", "", b"x")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "192.168.1.1",
        "100.100.100.200",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "instance-data",
    ],
)
async def test_address_that_is_not_public_is_refused_before_anything_is_sent(
    host: str, site: Site, client_of: ClientOf
) -> None:
    names = Names()
    with pytest.raises(AddressRefused, match="not fetched: only public web addresses"):
        await client_of(lookup=names).get(site.url(host=host))
    assert (site.asked, names.asked) == ([], [])


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "%31%32%37.0.0.1",
        "[::1%25lo]",
    ],
)
async def test_other_forms_of_an_address_are_refused_even_where_the_address_is_allowed(
    host: str, site: Site, client_of: ClientOf
) -> None:
    names = Names()
    with pytest.raises(AddressRefused):
        await client_of(LOCAL, "::/0", lookup=names).get(site.url(host=host))
    assert (site.asked, names.asked) == ([], [])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "must begin with http"),
        ("ftp://example.org/x", "Only http and https"),
        ("gopher://127.0.0.1:6379/_SET", "Only http and https"),
        ("//127.0.0.1/", "must begin with http"),
        ("example.org", "must begin with http"),
        ("", "must begin with http"),
        ("http://", "must begin with http"),
        ("http:///etc", "must begin with http"),
        ("http://user:secret@example.org/", "user name or password"),
        ("http://example.org@127.0.0.1/", "user name or password"),
        ("http://example.org\\@127.0.0.1/", "backslashes"),
        ("http://example.org/\r\nHost: x", "control characters"),
        ("http://exa\tmple.org/", "control characters"),
        ("http://exa mple.org/", "neither a name nor an address"),
        ("http://example.org:99999/", "not an address"),
        ("http://[::1/", "not an address"),
        ("http://xn--/", "not an address"),
        ("http://example.org/" + "a" * 9000, "longer than"),
    ],
)
async def test_what_is_no_plain_web_address_is_refused(url: str, why: str, client_of: ClientOf) -> None:
    names = Names()
    with pytest.raises(AddressRefused, match=why):
        await client_of(lookup=names).get(url)
    assert names.asked == []


@pytest.mark.parametrize(
    "answer",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "93.184.216.34 127.0.0.1", "::ffff:127.0.0.1"],
)
async def test_name_that_leads_elsewhere_than_the_public_web_is_refused(
    answer: str, site: Site, client_of: ClientOf
) -> None:
    names = Names(evil_example=answer)
    with pytest.raises(AddressRefused, match=r"^evil\.example is not fetched") as refusal:
        await client_of(lookup=names).get(site.url(host="evil.example"))
    assert (site.asked, names.asked) == ([], ["evil.example"])
    assert not any(address.partition("%")[0] in str(refusal.value) for address in answer.split()), "no insight into it"


async def test_allowed_name_is_fetched_with_its_own_host_header(site: Site, client_of: ClientOf) -> None:
    found = await client_of("wiki.example", lookup=Names(wiki_example="127.0.0.1")).get(site.url(host="wiki.example"))
    assert found.data == b"the page"
    assert site.asked[0].headers["Host"] == f"wiki.example:{site.port}"


async def test_name_is_resolved_once_and_what_was_checked_is_connected_to(site: Site, client_of: ClientOf) -> None:
    names = Names(rebind_example=["127.0.0.1", "10.0.0.1"])
    client = client_of(LOCAL, lookup=names)
    assert (await client.get(site.url(host="rebind.example"))).data == b"the page"
    assert names.asked == ["rebind.example"], "a second question would have been answered differently"
    await client.aclose()
    with pytest.raises(AddressRefused):
        await client.get(site.url(host="rebind.example"))


async def test_public_answer_that_turns_local_never_reaches_this_machine(
    site: Site, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled: list[str] = []

    async def dial(*_: Any, addr_infos: Sequence[Any], **__: Any) -> Any:
        dialled.extend(info[4][0] for info in addr_infos)
        raise OSError("the test has no network")

    import aiohttp.connector

    monkeypatch.setattr(aiohttp.connector.aiohappyeyeballs, "start_connection", dial)
    names = Names(rebind_example=["93.184.216.34", "127.0.0.1"])
    client = client_of(lookup=names)
    with pytest.raises(FetchError, match=r"^rebind\.example cannot be reached\.$"):
        await client.get("http://rebind.example/")
    with pytest.raises(AddressRefused):
        await client.get("http://rebind.example/")
    assert dialled == ["93.184.216.34"]
    assert site.asked == []


async def test_names_of_this_machine_are_looked_up_and_refused_unless_allowed(site: Site, client_of: ClientOf) -> None:
    with pytest.raises(AddressRefused, match=r"^localhost is not fetched"):
        await client_of(lookup=system_lookup).get(site.url(host="LOCALHOST"))
    assert site.asked == []
    assert (await client_of("localhost", lookup=system_lookup).get(site.url(host="localhost"))).status == 200


async def test_unknown_name_is_told(client_of: ClientOf) -> None:
    with pytest.raises(FetchError, match=r"There is no host called nowhere\.example"):
        await client_of().get("http://nowhere.example/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_followed_to_where_it_leads(status: int, site: Site, client_of: ClientOf) -> None:
    site.redirects("/old", "/new?a=1", status)
    found = await client_of(LOCAL).get(site.url("/old"))
    assert (found.url, found.data) == (site.url("/new?a=1"), b"the page")


@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://2130706433/",
        "//0177.0.0.1/",
        "http://metadata.google.internal/",
        "http://inner.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "gopher://127.0.0.1/",
        "http://user@127.0.0.1/",
        "http://a\\@b/",
    ],
)
async def test_redirect_is_checked_like_the_first_address(location: str, site: Site, client_of: ClientOf) -> None:
    site.redirects("/old", location)
    with pytest.raises(AddressRefused):
        await client_of("127.0.0.1", lookup=Names(inner_example="10.0.0.1")).get(site.url("/old"))
    assert [request.path for request in site.asked] == ["/old"]


async def test_redirects_without_end_are_given_up_after_five(site: Site, client_of: ClientOf) -> None:
    site.redirects("/round", "/round")
    with pytest.raises(FetchError, match="redirects more than 5 times"):
        await client_of(LOCAL).get(site.url("/round"))
    assert len(site.asked) == 6


async def test_headers_for_one_origin_do_not_go_to_another(site: Site, client_of: ClientOf) -> None:
    site.redirects("/old", site.url("/new", host="other.example"))
    client = client_of(LOCAL, lookup=Names(other_example="127.0.0.1"))
    await client.get(site.url("/old"), headers={"X-Token": "secret", "Accept": "text/html"})
    first, second = site.asked
    assert (first.headers["X-Token"], second.headers.get("X-Token")) == ("secret", None)
    assert (first.headers["Accept"], second.headers["Accept"]) == ("text/html", "text/html")


async def test_no_cookie_is_kept_and_no_proxy_taken_from_the_environment(
    site: Site, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    site.sends("/", text="x", headers={"Set-Cookie": "a=b"})
    client = client_of(LOCAL)
    await client.get(site.url())
    await client.get(site.url())
    assert "Cookie" not in site.asked[1].headers


async def test_answer_over_the_limit_is_refused_and_one_at_the_limit_is_not(site: Site, client_of: ClientOf) -> None:
    site.sends("/", body=b"a" * 1000)
    assert len((await client_of(LOCAL).get(site.url(), max_bytes=1000)).data) == 1000
    with pytest.raises(FetchError, match="larger than 999 bytes"):
        await client_of(LOCAL).get(site.url(), max_bytes=999)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_limit_counts_what_comes_out_of_a_decompression(encoding: str, site: Site, client_of: ClientOf) -> None:
    packed = (gzip.compress if encoding == "gzip" else zlib.compress)(b"\0" * 50_000_000)
    assert len(packed) < 100_000
    site.sends("/", body=packed, headers={"Content-Encoding": encoding})
    with pytest.raises(FetchError, match="larger than 1,000,000 bytes"):
        await client_of(LOCAL).get(site.url(), max_bytes=1_000_000)
    site.sends("/", body=gzip.compress(b"small"), headers={"Content-Encoding": "gzip"})
    assert (await client_of(LOCAL).get(site.url())).data == b"small"


async def test_endless_drip_ends_with_the_total_time(site: Site, client_of: ClientOf) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b".")
            await asyncio.sleep(0.02)

    site.pages["/"] = drip
    began = asyncio.get_running_loop().time()
    with pytest.raises(FetchError, match=r"did not answer in time; the limit is 0\.3 s"):
        await client_of(LOCAL).get(site.url(), timeout_s=0.3)
    assert asyncio.get_running_loop().time() - began < 2


async def test_slow_resolver_counts_towards_the_time(client_of: ClientOf) -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(FetchError, match="did not answer in time"):
        await client_of(lookup=never).get("http://slow.example/", timeout_s=0.1)


async def test_names_whose_servers_are_silent_leave_the_loops_threads_free(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = threading.Event()

    def silent(*_: Any, **__: Any) -> None:
        given_up.wait(60)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    client = client_of(lookup=system_lookup)
    try:
        # The loop has 32 threads at most.
        fetching = [asyncio.create_task(client.get(f"http://n{n}.example/", timeout_s=0.5)) for n in range(32)]
        assert all(isinstance(end, FetchError) for end in await asyncio.gather(*fetching, return_exceptions=True))
        async with asyncio.timeout(30):
            assert await asyncio.to_thread(lambda: "others work")
    finally:
        given_up.set()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "gave an answer that cannot be read"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "gave an answer that cannot be read"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
            "gave an answer that cannot be read",
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", "gave an answer that cannot be read"),
        (b"", "broke off the connection"),
    ],
)
async def test_broken_answer_is_told_without_a_word_of_it(answer: bytes, why: str, client_of: ClientOf) -> None:
    async with speaking(answer) as url:
        with pytest.raises(FetchError) as failure:
            await client_of(LOCAL).get(url)
    assert failure.value.message == f"127.0.0.1 {why}."
    assert isinstance(failure.value, ToolError)


async def test_closed_port_and_plain_server_behind_https_are_told_apart(site: Site, client_of: ClientOf) -> None:
    with pytest.raises(FetchError, match=r"^127\.0\.0\.1 (cannot be reached|has no certificate)"):
        await client_of(LOCAL).get(site.url(scheme="https"))
    with pytest.raises(FetchError, match=r"^127\.0\.0\.1 cannot be reached\.$"):
        await client_of(LOCAL).get("http://127.0.0.1:1/")


async def test_certificate_is_asked_for_by_name_and_must_be_trusted(client_of: ClientOf, tmp_path: Path) -> None:
    asked: list[str | None] = []
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(await asyncio.to_thread(self_signed, "wiki.example", tmp_path))
    own.sni_callback = lambda _connection, name, _context: asked.append(name)
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=own)
    client = client_of("wiki.example", lookup=Names(wiki_example="127.0.0.1"))
    with pytest.raises(FetchError, match=r"^wiki\.example has no certificate that can be trusted\.$"):
        await client.get(f"https://wiki.example:{server.sockets[0].getsockname()[1]}/")
    server.close()
    assert asked == ["wiki.example"]


def self_signed(name: str, folder: Path) -> Path:
    """A certificate for the name, with its key, that nobody but itself vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    certificate = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, SHA256())
    written = folder / "site.pem"
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    written.write_bytes(key.private_bytes(*plain) + certificate.public_bytes(Encoding.PEM))
    return written


async def test_nothing_of_an_address_is_logged(
    site: Site, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "agentic")
    await client_of(LOCAL).get(site.url("/private"))
    with pytest.raises(AddressRefused):
        await client_of().get("http://10.0.0.1/private")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("agentic")]
    assert "private" not in "".join(ours)
