"""Settings: where values come from, and what a wrong one is told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, create_model, field_validator, model_validator

from agentic.catalog.environment import InvalidSettings, construct, environment_name, read_variables
from agentic.catalog.settings import Settings, read_settings
from agentic.errors import ConfigurationError


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting from outside: an empty folder, and no variable of ours."""
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        monkeypatch.delenv(environment_name(Settings, field), raising=False)


class Weather(BaseModel):
    """A plugin's settings, as strict as a plugin may make them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weather_days: int = Field(3, ge=1, le=16)
    weather_key: SecretStr | None = None
    weather_places: list[str] = []
    weather_aliases: dict[str, str] = {}

    @field_validator("weather_key")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 20:
            raise ValueError(f"{value.get_secret_value()} is too short")
        return value

    @field_validator("weather_places")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        if "Atlantis" in value:
            raise ValueError("Atlantis has sunk")
        return value


WRONG = [
    ("SERVER_PORT", "ninety", "should be a valid integer", "SERVER_PORT=8000"),
    ("SERVER_PORT", "70000", "less than or equal to 65535", "SERVER_PORT=8000"),
    ("LOG_LEVEL", "loud", "should be 'DEBUG', 'INFO'", "LOG_LEVEL=INFO"),
    ("LOG_CONTENT", "perhaps", "should be a valid boolean", "LOG_CONTENT=false"),
    ("CORS_ORIGINS", '{"a": 1}', "should be a valid list", "CORS_ORIGINS=https://chat.example.org"),
    ("RUN_MAX_SECONDS", "0", "greater than 0", "RUN_MAX_SECONDS=600"),
]


@pytest.mark.parametrize(("name", "value", "fault", "example"), WRONG)
def test_wrong_setting_is_named_with_fault_and_example(
    name: str, value: str, fault: str, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        read_settings()
    assert caught.value.message.startswith(f"{name}: ")
    assert fault in caught.value.message
    assert caught.value.message.endswith(f"Example: {example}")
    assert caught.value.param == name


def test_all_wrong_settings_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_PORT", "x")
    monkeypatch.setenv("LOG_LEVEL", "x")
    with pytest.raises(InvalidSettings) as caught:
        read_settings()
    assert [fault.name for fault in caught.value.faults] == ["SERVER_PORT", "LOG_LEVEL"]


def test_env_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SERVER_HOST=\xff\xfe\n")
    with pytest.raises(ConfigurationError, match=r"\.env cannot be read: it is not UTF-8"):
        read_settings()


def test_override_that_is_no_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="no such setting: port"):
        read_settings(port=1)


def test_override_beats_environment_beats_env_file_beats_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_settings().server_port == 8000
    (tmp_path / ".env").write_text("server_port=1001\nUNKNOWN=1\n")
    assert read_settings().server_port == 1001
    monkeypatch.setenv("SERVER_PORT", "1002")
    assert read_settings().server_port == 1002
    assert read_settings(server_port=None).server_port == 1002
    assert read_settings(server_port=1003).server_port == 1003


def test_empty_value_counts_as_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("STORAGE=\nSECRET_KEY=\nLOG_LEVEL=error\n", encoding="utf-8-sig")
    monkeypatch.setenv("SERVER_PORT", "")
    monkeypatch.setenv("LOG_LEVEL", "")
    settings = read_settings()
    assert (settings.storage, settings.secret_key, settings.server_port) == (None, None, 8000)
    assert settings.log_level == "ERROR"
    assert settings.model_fields_set == {"log_level"}


@pytest.mark.parametrize("written", ["http://a, http://b,", '["http://a", "http://b"]'])
def test_list_is_comma_separated_or_json(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", written)
    assert read_settings().cors_origins == ["http://a", "http://b"]


def test_home_folder_is_understood_without_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", "~/kept")
    assert read_settings().data_dir == Path.home() / "kept"


def test_plugin_settings_come_from_environment_and_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("WEATHER_DAYS=5\nWEATHER_PLACES=Rome,Oslo\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("WEATHER_ALIASES", '{"Roma": "Rome"}')
    monkeypatch.setenv("WEATHER_KEY", "")
    bound = construct(Weather, read_variables())
    assert isinstance(bound, Weather)
    assert (bound.weather_days, bound.weather_places) == (5, ["Rome", "Oslo"])
    assert bound.weather_aliases == {"Roma": "Rome"}
    assert bound.model_fields_set == {"weather_days", "weather_places", "weather_aliases"}


class Place(BaseModel):
    name: str
    height: float = 0.0


@pytest.mark.parametrize(
    ("annotation", "written", "read"),
    [
        (list[str] | None, "Rome, Oslo", ["Rome", "Oslo"]),
        (Annotated[set[int], Field(max_length=3)] | None, "1,2", {1, 2}),
        (tuple[int, ...], "[1, 2]", (1, 2)),
        (list[Place], '[{"name": "Rome"}]', [Place(name="Rome")]),
        (Mapping[str, int], '{"Rome": 3}', {"Rome": 3}),
        (Place | None, '{"name": "Rome", "height": 21}', Place(name="Rome", height=21)),
        (str, '["Rome"]', '["Rome"]'),
        (str | int, "Rome, Oslo", "Rome, Oslo"),
        (Literal["on", "off"], "on", "on"),
        (bool, "yes", True),
    ],
)
def test_what_has_parts_is_read_from_json(
    annotation: Any, written: str, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEATHER_GIVEN", written)
    given: Any = construct(create_model("Given", weather_given=(annotation, ...)), read_variables())
    assert given.weather_given == read


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("WEATHER_DAYS", "99", "WEATHER_DAYS: input should be less than or equal to 16. Example: WEATHER_DAYS=3"),
        (
            "WEATHER_ALIASES",
            "{oops",
            "WEATHER_ALIASES: input should be a valid dictionary.",
        ),
        ("WEATHER_PLACES", "Rome,Atlantis", "WEATHER_PLACES: … has sunk."),
        ("WEATHER_KEY", "hush", "WEATHER_KEY: its validator refuses the value. Example: WEATHER_KEY=…"),
    ],
)
def test_wrong_plugin_setting_is_told_likewise(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as caught:
        construct(Weather, read_variables())
    assert caught.value.message == told


def test_secret_is_in_no_message_nor_in_the_chain_of_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Whole(BaseModel):
        hush_key: SecretStr
        hush_url: str = ""

        @model_validator(mode="before")
        @classmethod
        def _refuse(cls, values: dict[str, Any]) -> dict[str, Any]:
            raise ValueError(f"cannot use {values}")

    monkeypatch.setenv("HUSH_KEY", "verysecret")
    with pytest.raises(InvalidSettings) as caught:
        construct(Whole, read_variables())
    assert caught.value.message == "settings: cannot use {'hush_key': '…'}."
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "verysecret" not in repr(read_settings(secret_key="verysecret" * 4))


def test_value_that_a_validator_quotes_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Address(BaseModel):
        address: str = "http://localhost"

        @field_validator("address")
        @classmethod
        def _refuse(cls, value: str) -> str:
            raise ValueError(f"{value} has no scheme.")

    monkeypatch.setenv("ADDRESS", "me:password@host")
    with pytest.raises(InvalidSettings, match=r"^ADDRESS: … has no scheme\. Example: ADDRESS=http://localhost$"):
        construct(Address, read_variables())


def test_alias_is_the_name_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    class Aliased(BaseModel):
        host: str = Field("h", validation_alias="UPSTREAM_HOST")
        port: int = Field(1, validation_alias="UPSTREAM_PORT")

    monkeypatch.setenv("UPSTREAM_HOST", "there")
    assert construct(Aliased, read_variables()).host == "there"
    monkeypatch.setenv("UPSTREAM_PORT", "x")
    with pytest.raises(InvalidSettings, match=r"^UPSTREAM_PORT: .* Example: UPSTREAM_PORT=1$"):
        construct(Aliased, read_variables())
