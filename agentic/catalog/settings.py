"""The kernel's own settings. It knows no plugin's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

from agentic.catalog.environment import construct, read_variables
from agentic.net.reach import parse_entry

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def _upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


def _reachable(entries: list[str]) -> list[str]:
    """Raises ValueError for an entry that is no host name, address or network."""
    for entry in entries:
        parse_entry(entry)
    return entries


Folder = Annotated[Path, AfterValidator(Path.expanduser)]


class Settings(BaseModel, str_strip_whitespace=True, validate_default=True):
    """Settings of the kernel; the environment name is the field name in capitals.

    Values come from the environment, then from ``.env`` in the working directory, then from the defaults; an empty
    value counts as unset. Lists are comma separated, or JSON.
    """

    server_host: str = Field("127.0.0.1", description="Address to listen on", examples=["0.0.0.0"])
    server_port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    secret_key: SecretStr | None = Field(
        None, description="Signs tokens, at least 32 bytes; unset, one is made and kept in DATA_DIR"
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^?#]*$",
        description="Address under which browsers reach the server; unset, as each request names it",
        examples=["https://agentic.example.org"],
    )
    cors_origins: list[str] = Field(
        [], description="Origins of web pages that may call the server", examples=["https://chat.example.org"]
    )
    trusted_proxies: list[str] = Field(
        [], description="Addresses of proxies that may say whom they ask for", examples=["127.0.0.1"]
    )
    default_model: str = Field("agentic", description="The model of requests that name none")
    max_body_mb: float = Field(20, gt=0, description="Largest request body, megabytes")
    max_upload_mb: float = Field(100, gt=0, description="Largest file that may be uploaded, megabytes")
    documents_at_once: int = Field(4, ge=1, le=64, description="Most documents that one server takes in at once")
    reader_workers: int = Field(2, ge=1, le=64, description="Most processes that read documents, one document each")
    reader_timeout: float = Field(300, gt=0, le=86_400, description="Seconds that reading one document may take")
    reader_memory_mb: int = Field(1024, ge=128, description="Memory that reading one document may take, megabytes")
    reader_max_characters: int = Field(20_000_000, ge=1000, description="Most characters of text in one document")
    index_timeout: float = Field(
        600,
        gt=0,
        le=86_400,
        description="Seconds without progress after which indexing a document is given up; one more for each 2,000 "
        "characters",
    )
    router: str | None = Field(None, description="The router, by name; unset, the auction: the highest bid wins")
    router_timeout: float = Field(
        8, gt=0, le=600, description="Seconds that a router has to choose; then the auction decides"
    )
    storage: str | None = Field(
        None, description="The storage backend, by name; unset, the one in use, at first the highest-ranked"
    )
    blobs: str | None = Field(
        None, description="The store of files, by name; unset, the one in use, at first the highest-ranked"
    )
    vector_db_type: str | None = Field(None, description="The store of vectors, by name; unset, the highest-ranked one")
    text_index: str | None = Field(None, description="The full-text index, by name; unset, the highest-ranked one")
    embedding_model: str | None = Field(
        None,
        description="The model that turns documents into vectors; unset, the default of the highest-ranked provider",
        examples=["bge-m3"],
    )
    data_dir: Folder = Field(Path("data"), description="The folder that holds everything kept", examples=["./data"])
    jwt_expiration_hours: float = Field(24, gt=0, description="Hours until a token ends")
    limit_requests_per_minute: int | None = Field(
        None, ge=1, description="Requests of one user in any minute, at each server; unset, no limit"
    )
    limit_runs_at_once: int | None = Field(
        None, ge=1, description="Runs of one user at the same time, at each server; unset, no limit"
    )
    limit_tokens_per_day: int | None = Field(
        None, ge=1, description="Tokens of one user in a day (UTC), prompts and completions; unset, no limit"
    )
    limit_storage_bytes: int | None = Field(None, ge=1, description="Bytes of one user's files; unset, no limit")
    log_level: Annotated[LogLevel, BeforeValidator(_upper)] = Field(
        "INFO", description="Least severity that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL"
    )
    log_file: Folder | None = Field(
        None, description="The log file; unset, logs/app.log in DATA_DIR", examples=["./data/logs/app.log"]
    )
    log_content: bool = Field(False, description="Let messages, documents and results of tools into the log")
    agentic_disable: list[str] = Field(
        [], description="Plugins to leave out, by name", examples=["first_plugin,second_plugin"]
    )
    fetch_allow: Annotated[list[str], AfterValidator(_reachable)] = Field(
        [],
        description="Hosts, addresses and networks that pages may be fetched from though they are not public",
        examples=["wiki.example.org,10.1.0.0/16"],
    )
    run_max_seconds: float = Field(600, gt=0, description="Longest run, seconds")
    run_max_model_calls: int = Field(30, ge=1, description="Most steps of one run, each a call of a model")
    run_max_tool_calls: int = Field(50, ge=0, description="Most calls of tools in one run")
    run_max_tokens: int = Field(
        200_000, ge=1, description="Tokens of one run, prompt and completion, after which it asks the model no more"
    )
    server_lease_seconds: float = Field(
        15, ge=1, description="Silence of a server, seconds, after which another one goes on with its runs"
    )
    approve: list[str] = Field(
        [],
        description="Calls that wait for a person: risks (write, execute) and names of tools",
        examples=["write,execute"],
    )
    after_untrusted: Literal["ask", "allow"] = Field(
        "ask",
        description="What becomes of calls that write or execute once a run has read text from outside: ask, allow",
    )
    approval_timeout: float = Field(300, gt=0, description="Seconds that a call waits for a person; then it is denied")
    history: Literal["trim", "summarise"] = Field(
        "trim",
        description="What becomes of the oldest turns of a conversation that is longer than the model's context: trim "
        "leaves them out, summarise lets the model sum them up; the answer tells of it",
    )
    tool_shortlist: int = Field(16, ge=1, description="Most tools offered to a model; of more, the fittest are")


def read_settings(**overrides: Any) -> Settings:
    """The kernel's settings. An override that is None counts as not given.

    Raises ConfigurationError that names each wrong setting, its fault and an example, and never a secret's value;
    TypeError for an override that is no setting.
    """
    unknown = sorted(set(overrides) - set(Settings.model_fields))
    if unknown:
        raise TypeError(f"no such setting: {', '.join(unknown)}")
    given = {name: value for name, value in overrides.items() if value is not None}
    return construct(Settings, read_variables(), **given)
