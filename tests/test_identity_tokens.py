"""Tokens and the key that signs them."""

import asyncio
import base64
import json
import logging
import stat
import sys
import time
import warnings

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from agentic.errors import ConfigurationError, Unauthorized
from agentic.identity.tokens import Tokens, secret_key
from agentic.identity.users import User

SECRET = "0123456789abcdef0123456789abcdef"
USER = User("some-id", "anna", "user", disabled=False, token_version=3, created_at=0.0)


@pytest.fixture
def tokens():
    return Tokens(SECRET, 3600)


def _part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _signed(claims, *, alg="HS256", secret=SECRET):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jwt.encode({"alg": alg}, claims, OctKey.import_key(secret), algorithms=[alg])


def _claims(**changes):
    return {"sub": "some-id", "ver": 3, "exp": int(time.time()) + 60} | changes


def test_an_expired_token_is_refused(tokens):
    with pytest.raises(Unauthorized, match="expired"):
        Tokens(SECRET, 3600).read(Tokens(SECRET, -1).issue(USER))


def test_a_tampered_token_is_refused(tokens):
    head, body, signature = tokens.issue(USER).split(".")
    other = _part(_claims(sub="other"))
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    for token in (f"{head}.{other}.{signature}", f"{head}.{body}.{flipped}", f"{head}.{body}.", f"{head}.{body}"):
        with pytest.raises(Unauthorized):
            tokens.read(token)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "HS256"])
def test_an_unsigned_token_is_refused(tokens, alg):
    with pytest.raises(Unauthorized):
        tokens.read(f"{_part({'alg': alg})}.{_part(_claims())}.")


@pytest.mark.parametrize("alg", ["HS384", "HS512"])
def test_another_algorithm_is_refused_even_with_our_secret(tokens, alg):
    with pytest.raises(Unauthorized):
        tokens.read(_signed(_claims(), alg=alg))


def test_a_token_of_a_foreign_secret_is_refused(tokens):
    with pytest.raises(Unauthorized):
        tokens.read(_signed(_claims(), secret=SECRET[::-1]))


@pytest.mark.parametrize("missing", ["exp", "sub", "ver"])
def test_a_token_without_a_needed_claim_is_refused(tokens, missing):
    claims = _claims()
    del claims[missing]
    with pytest.raises(Unauthorized):
        tokens.read(_signed(claims))


@pytest.mark.parametrize(
    "change", [{"exp": "never"}, {"exp": None}, {"ver": "3"}, {"ver": True}, {"ver": None}, {"sub": 7}, {"sub": ""}]
)
def test_a_token_with_a_claim_of_the_wrong_kind_is_refused(tokens, change):
    with pytest.raises(Unauthorized):
        tokens.read(_signed(_claims(**change)))


NONSENSE = [
    "",
    ".",
    "..",
    "a.b.c",
    "....",
    "\xff.\xff.\xff",
    "\ud800",
    "é" * 100,
    "x" * 100_000,
    f"{_part('text')}.{_part({})}.AA",
    f"{_part([])}.{_part({})}.AA",
    f"{_part({'alg': None})}.{_part({})}.AA",
    f"{_part({'alg': ['HS256']})}.{_part({})}.AA",
    f"{_part({'alg': 'HS256', 'crit': ['x']})}.{_part({})}.AA",
    f"{_part({'alg': 'dir', 'enc': 'A128GCM'})}..AA.AA.AA",
    base64.urlsafe_b64encode(b"[" * 2900).decode() + ".e30.AA",
]


@pytest.mark.parametrize("token", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_refused_as_any_other_token(tokens, token):
    with pytest.raises(Unauthorized):
        tokens.read(token)


def test_a_signed_token_whose_payload_is_no_object_is_refused(tokens):
    from joserfc import jws

    token = jws.serialize_compact({"alg": "HS256"}, b'["list"]', OctKey.import_key(SECRET))
    with pytest.raises(Unauthorized):
        tokens.read(token)


def test_a_token_is_signed_with_the_secret_itself_and_read_back(tokens):
    token = tokens.issue(USER)
    claims = jwt.decode(token, OctKey.import_key(SECRET), algorithms=["HS256"]).claims
    assert abs(claims["exp"] - time.time() - 3600) < 5
    assert tokens.read(token) == ("some-id", 3)


@pytest.mark.parametrize(
    "published",
    [
        "dev-secret-key-change-in-production-please",
        "your-secure-key-here-your-secure-key-here",
        "CHANGEME_CHANGEME_CHANGEME_CHANGEME",
        "please_change_this_to_a_long_random_value",
    ],
)
def test_a_published_secret_stops_the_start_with_an_example(tmp_path, published):
    with pytest.raises(ConfigurationError, match=r"SECRET_KEY.*published.*Example: SECRET_KEY=") as refused:
        secret_key(published, tmp_path)
    assert published not in str(refused.value)


@pytest.mark.parametrize("short", ["your-secure-key-here", "x" * 31, "é" * 15])
def test_a_short_secret_stops_the_start_with_an_example(tmp_path, short):
    with pytest.raises(ConfigurationError, match=r"bytes, 32 is the least.*Example") as refused:
        secret_key(short, tmp_path)
    assert short not in str(refused.value)


def test_a_configured_secret_is_taken_as_it_is_and_nothing_is_written(tmp_path):
    assert secret_key(SECRET, tmp_path) == SECRET
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("unset", [None, ""])
def test_an_unset_secret_is_made_once_and_kept_for_the_owner_alone(tmp_path, unset, caplog):
    caplog.set_level(logging.DEBUG)
    data = tmp_path / "new" / "data"
    made = secret_key(unset, data)
    assert len(made) >= 32
    assert secret_key(unset, data) == made
    assert stat.S_IMODE((data / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in data.iterdir()] == ["secret_key"]
    assert made not in caplog.text


def test_a_kept_secret_that_others_may_read_is_closed(tmp_path):
    path = tmp_path / "secret_key"
    path.write_text(SECRET)
    path.chmod(0o644)
    assert secret_key(None, tmp_path) == SECRET
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 40])
def test_a_damaged_secret_file_stops_the_start_and_is_named(tmp_path, content):
    (tmp_path / "secret_key").write_bytes(content)
    with pytest.raises(ConfigurationError, match="secret_key"):
        secret_key(None, tmp_path)


def test_a_data_folder_that_is_a_file_stops_the_start(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot be kept in .* Make DATA_DIR writable, or set SECRET_KEY\."):
        secret_key(None, tmp_path / "data")


async def test_processes_that_make_the_secret_at_once_agree_on_it(tmp_path):
    go = tmp_path / "go"
    script = (
        "import pathlib, sys, time\n"
        "from agentic.identity.tokens import secret_key\n"
        "data, go = map(pathlib.Path, sys.argv[1:])\n"
        "print('ready', flush=True)\n"
        "while not go.exists(): time.sleep(0)\n"
        "print(secret_key(None, data))\n"
    )
    command = (sys.executable, "-c", script, str(tmp_path / "data"), str(go))
    children = [
        await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        for _ in range(3)
    ]
    for child in children:
        assert await child.stdout.readline() == b"ready\n"
    go.write_text("")
    outputs = {await child.communicate() for child in children}
    assert len(outputs) == 1
    assert outputs.pop()[0].decode().strip() == secret_key(None, tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]
