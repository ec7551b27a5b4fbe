"""When to ask a service again: the header Retry-After, in all that servers make of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from agentic.services import seconds_until

YEAR_S = 365 * 86_400


@pytest.mark.parametrize(
    "header",
    [None, "", " ", "soon", "nan", "inf", "-inf", "Infinity", "1e3", "1_000", "0x10", "٣", "7 s", "7, 8", "7;", "\0"],
)
def test_what_is_no_time_is_none(header: str | None) -> None:
    assert seconds_until(header) is None


@pytest.mark.parametrize(
    "header",
    [
        "Wed, 21 Oct 2015",
        "Wed, 21 Oct 2015 25:28:00 GMT",
        "Wed, 32 Oct 2015 07:28:00 GMT",
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 +99999999999999999999999",
        f"Wed, 21 Oct {'9' * 5000} 07:28:00 GMT",
    ],
)
def test_date_that_cannot_be_is_none(header: str) -> None:
    assert seconds_until(header) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("007", 7), (" 7 ", 7), ("0.5", 0.5), ("+7", 7), ("-3", 0), ("-0.5", 0), ("3600", 3600)],
)
def test_number_is_seconds_from_now(header: str, seconds: float) -> None:
    assert seconds_until(header) == seconds


@pytest.mark.parametrize("header", ["99999999999", "9" * 400, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_what_is_beyond_a_year_is_a_year(header: str) -> None:
    assert seconds_until(header) == YEAR_S


@pytest.mark.parametrize(
    "form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"], ids=["now", "850", "C"]
)
def test_date_is_read_in_its_three_forms_wherever_the_machine_stands(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        later = datetime.now(UTC) + timedelta(hours=1)
        assert seconds_until(later.strftime(form)) == pytest.approx(3600, abs=60)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_date_with_a_zone_of_its_own_is_read() -> None:
    later = datetime.now(UTC).astimezone(datetime.strptime("+0530", "%z").tzinfo) + timedelta(hours=1)
    assert seconds_until(format_datetime(later)) == pytest.approx(3600, abs=60)


@pytest.mark.parametrize(
    "header", ["Wed, 21 Oct 2015 07:28:00 GMT", "Sun Nov  6 08:49:37 1994", "Sunday, 06-Nov-94 08:49:37 GMT"]
)
def test_date_that_has_passed_is_now(header: str) -> None:
    assert seconds_until(header) == 0
