"""API keys: shown once, stored as a hash, revoked at once."""

import pytest

from agentic.errors import BadRequest, NotFound
from agentic.identity.keys import ApiKeys
from agentic.testing.storage import MemoryStorage


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def keys(storage):
    return ApiKeys(storage)


@pytest.mark.parametrize("label", ["", "  ", "x" * 101, "two\nlines", "bell\a"])
async def test_a_label_that_is_no_line_is_refused(keys, label):
    with pytest.raises(BadRequest) as refused:
        await keys.create("anna-id", label)
    assert refused.value.param == "name"


@pytest.mark.parametrize("key", ["", "agk_", "agk_unknown", "no-prefix", "agk_../../users", "\ud800", "agk_\ud800"])
async def test_an_unknown_key_is_nobodys(keys, key):
    await keys.create("anna-id", "laptop")
    assert await keys.find(key) is None


async def test_a_key_leads_to_its_user_and_not_by_its_id_or_hash_alone(keys, storage):
    key = await keys.create("anna-id", "laptop")
    assert key.startswith("agk_")
    assert (await keys.find(key)).user_id == "anna-id"
    listed = (await keys.list("anna-id"))[0]
    digest = (await storage.list("keys/"))[0].key.removeprefix("keys/")
    for other in (listed.id, digest, f"agk_{digest}", key[:-1], key + "x", key.lower()):
        assert await keys.find(other) is None


async def test_no_key_is_stored_in_the_clear_or_logged(keys, storage, caplog):
    caplog.set_level("DEBUG")
    key = await keys.create("anna-id", "laptop")
    everything = str(await storage.list("")) + caplog.text
    assert key not in everything
    assert key[12:] not in everything


async def test_a_key_of_another_user_cannot_be_revoked(keys):
    key = await keys.create("anna-id", "laptop")
    for name in (key, key[:12], "agk_", "", "agk_nothing"):
        with pytest.raises(NotFound):
            await keys.revoke("ben-id", name)
    assert (await keys.find(key)).user_id == "anna-id"


async def test_a_beginning_that_several_keys_share_revokes_none(keys):
    made = [await keys.create("anna-id", label) for label in ("one", "two")]
    with pytest.raises(BadRequest, match="2 keys"):
        await keys.revoke("anna-id", "agk_")
    assert [(await keys.find(key)).user_id for key in made] == ["anna-id", "anna-id"]


@pytest.mark.parametrize("length", [9, 12, None])
async def test_a_revoked_key_is_out_and_its_neighbours_stay(keys, length):
    gone, kept = [await keys.create("anna-id", label) for label in ("one", "two")]
    assert (await keys.revoke("anna-id", gone[:length])).label == "one"
    assert await keys.find(gone) is None
    assert (await keys.find(kept)).user_id == "anna-id"
    assert [key.label for key in await keys.list("anna-id")] == ["two"]


async def test_keys_are_listed_for_their_user_only_oldest_first(keys):
    for user, label in [("a", "first"), ("ab", "other"), ("a", "second")]:
        await keys.create(user, label)
    assert [key.label for key in await keys.list("a")] == ["first", "second"]
