"""The scripted services are as strict as the real ones, where a client could be wrong unseen."""

from __future__ import annotations

import httpx
import pytest

from agentic.testing.open_meteo import ScriptedOpenMeteo
from agentic.testing.wikipedia import ScriptedWikipedia, fails

ASKED = {"action": "query", "format": "json", "formatversion": "2"}
NAMED = {"User-Agent": "test/1.0 (https://example.org/)"}


def client(service: ScriptedWikipedia | ScriptedOpenMeteo) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(service), base_url="http://en.wiki.test", headers=NAMED)


async def test_wikipedia_refuses_a_client_that_does_not_say_who_it_is() -> None:
    async with client(ScriptedWikipedia()) as asking:
        asking.headers["User-Agent"] = "python-httpx/0.28.1"
        assert (await asking.get("/w/api.php", params=ASKED)).status_code == 403


async def test_wikipedia_answers_faults_of_the_action_api_with_status_200() -> None:
    async with client(ScriptedWikipedia()) as asking:
        response = await asking.get("/w/api.php", params={"action": "edit", "format": "json"})
        assert response.status_code == 200
        assert response.json()["error"]["code"] == "badvalue"


async def test_wikipedia_redirects_the_summary_of_a_redirect() -> None:
    async with client(ScriptedWikipedia()) as asking:
        response = await asking.get("/api/rest_v1/page/summary/Ada_Byron")
        assert (response.status_code, response.headers["location"]) == (302, "Ada_Lovelace")


async def test_open_meteo_leaves_the_key_out_where_it_finds_nothing() -> None:
    async with client(ScriptedOpenMeteo()) as asking:
        assert "results" not in (await asking.get("/v1/search", params={"name": "Xyzzy"})).json()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"forecast_days": "17"}, "Forecast days is invalid"),
        ({"latitude": "99"}, "Latitude must be in range"),
        ({"daily": "weathercode"}, "invalid String value weathercode"),
        ({"timezone": None}, "Timezone is required"),
    ],
)
async def test_open_meteo_refuses_what_the_real_one_refuses(wrong: dict[str, str | None], reason: str) -> None:
    asked = {"latitude": "59.9", "longitude": "10.7", "daily": "sunrise", "timezone": "auto"} | wrong
    params = {name: value for name, value in asked.items() if value is not None}
    async with client(ScriptedOpenMeteo()) as asking:
        response = await asking.get("/v1/forecast", params=params)
        assert response.status_code == 400
        assert reason in response.json()["reason"]


async def test_scripted_faults_come_first_and_requests_are_recorded_with_their_query() -> None:
    service = ScriptedOpenMeteo()
    service.script(fails(429, "slow down", retry_after_s=7))
    async with client(service) as asking:
        response = await asking.get("/v1/search", params={"name": "Bad Tölz"})
        assert (response.status_code, response.headers["retry-after"]) == (429, "7")
        assert response.json() == {"error": True, "reason": "slow down"}
    assert service.requests[0].query == {"name": "Bad Tölz"}
