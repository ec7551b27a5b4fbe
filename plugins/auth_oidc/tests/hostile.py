"""A provider that lies as it is told, for tests: discovery, keys, tokens and userinfo, each of which may be wrong."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT = "agentic"
SECRET = "a secret that only the two share"


class Hostile:
    """The provider. ``answers``: paths with what to answer instead, a JSON value, bytes, or a status."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.answers: dict[str, Any] = {}
        self.algorithms = ["RS256", "HS256", "none"]
        self.claims: dict[str, Any] = {}
        self.headers: dict[str, Any] = {}
        self.signed_with: Any = None
        self.forged: Callable[[dict[str, Any]], str] | None = None
        self.nonce = ""
        self.asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []

    def metadata(self) -> dict[str, Any]:
        paths = ("authorization", "token", "userinfo")
        return {
            "issuer": self.issuer,
            **{f"{name}_endpoint": f"{self.issuer}/{name}" for name in paths},
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": self.algorithms,
        }

    def id_token(self) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "anna", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": self.nonce}
        claims |= self.claims
        return self.signed({name: value for name, value in claims.items() if value is not None})

    def signed(self, claims: dict[str, Any]) -> str:
        if self.forged is not None:
            return self.forged(claims)
        header = {"alg": "RS256", "kid": "one", **self.headers}
        return jwt.encode(header, claims, self.signed_with or self.key, algorithms=[header["alg"]])

    def right(self, path: str) -> Any:
        if path == "/token":
            return {"access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": self.id_token()}
        return {
            "/.well-known/openid-configuration": self.metadata(),
            "/jwks": KeySet([self.key]).as_dict(private=False),
            "/userinfo": {"sub": "anna"},
        }[path]


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes = b"") -> str:
    """A token as nobody's library makes it any more: unsigned, or signed with what everybody may know."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), 'sha256')) if secret else ''}"


@contextmanager
def hostile_provider() -> Iterator[Hostile]:
    """Run one on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply({})

        def do_POST(self) -> None:
            self.reply(parse_qs(self.rfile.read(int(self.headers["content-length"])).decode()))

        def reply(self, form: dict[str, list[str]]) -> None:
            provider.asked.append((self.path, form, dict(self.headers)))
            told = provider.answers[self.path] if self.path in provider.answers else provider.right(self.path)
            status = told if isinstance(told, int) else 200
            status, told = told if isinstance(told, tuple) else (status, told)
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", f"{provider.issuer}/elsewhere")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Hostile(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
