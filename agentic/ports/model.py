"""Port: a provider of language models, and the handle through which an agent speaks to one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from agentic.messages import Json, Message, ToolCall, Usage

ToolMode = Literal["native", "schema", "text", "fit"]
ToolChoice = str
"""``auto``, ``none``, ``required``, or the name of the one tool to be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of a model.

    ``tool_mode``: the best way this model can call tools. ``native``: the provider takes tools and answers with calls.
    ``schema``: it obeys a JSON Schema. ``text``: it follows a written form. ``fit``: it can do none of these, so tools
    are chosen by their examples. ``schema`` tells whether a JSON Schema can be forced on its answer.
    ``vision``: it takes pictures. ``context`` is in tokens, ``changed`` wall time in seconds. ``notice`` is told to the
    user with each answer. ``aliases`` are other ids under which clients may ask for it; they are not listed.
    """

    id: str
    tool_mode: ToolMode = "text"
    schema: bool = False
    thinking: bool = False
    vision: bool = False
    context: int | None = None
    changed: float = 0
    default: bool = False
    chat: bool = True
    notice: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it.

    ``client``: the client runs it, not the server. ``untrusted``: its results are handed on as delimited data.
    ``parallel``: it may run beside other calls.
    """

    name: str
    description: str
    parameters: Json
    examples: tuple[str, ...] = ()
    suggest: Callable[[str], Json | None] | None = field(default=None, compare=False)
    client: bool = False
    untrusted: bool = False
    parallel: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a model shall sample; None leaves it to the model or to the provider's own settings."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    effort: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One call of a model. ``tools`` is only ever filled for models whose ``tool_mode`` is native.

    ``whole``: nobody reads along, so a provider may join pieces that came together; otherwise each is shown as it is.
    """

    model: str
    messages: Sequence[Message]
    tools: Sequence[ToolSpec] = ()
    schema: Json | None = None
    sampling: Sampling = Sampling()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class ModelDelta:
    """A piece of a model's answer. The last one carries ``finish`` (``stop``, ``length`` or ``tool_calls``)."""

    text: str = ""
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str = ""
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: its text, its thinking, its calls, and ``parsed`` where a schema was asked for."""

    text: str
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    usage: Usage = Usage()
    parsed: Any = None


class ModelProvider(Protocol):
    """A server or a library that runs models.

    ``fallback``: answers only while no other provider was configured or reached. ``configured``: the operator named
    it on purpose, so that no fallback may stand in for it.
    """

    name: str
    fallback: bool = False
    configured: bool = False
    rank: int = 0

    async def models(self) -> Sequence[ModelInfo]:
        """What it can run now. Raises ModelUnavailable when it cannot be reached."""
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelDelta]:
        """Answer piece by piece; closing the iterator stops the model within a second.

        The last delta has ``finish`` set; an answer that ends without it is cut. Raises ModelNotFound,
        ModelUnavailable, ModelTimeout, ContextExceeded, or ModelError for any other failure, before or in mid-answer.
        """
        ...

    def remedy(self, model_id: str) -> str:
        """What a user does to get a model that is missing here, such as a pull command; empty id: the default one."""
        return ""

    async def health(self) -> str | None:
        """None if it can answer, else what is wrong and what to do."""
        return None

    async def aclose(self) -> None:
        """Close connections and end child processes."""
        return None


class Model(Protocol):
    """The model under an agent. Calls are counted, logged as events, limited and cancelled by the kernel."""

    info: ModelInfo

    def stream(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = (), schema: Json | None = None
    ) -> AsyncGenerator[ModelDelta, None]:
        """Answer piece by piece; tools work alike for every model, whatever its way of calling them."""
        ...

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[ToolSpec] = (),
        schema: type[BaseModel] | Json | None = None,
        say: bool = False,
        hold: bool = False,
    ) -> Reply:
        """A whole answer. ``say``: its text goes to the user. ``schema``: ``parsed`` holds the value.

        ``hold``: it is the user's answer too, which the agent looks at before it is said. Both keep to the form that
        the client wants. What is said goes there as it comes; where nobody reads along and the client wants a form,
        once it was looked at. A schema given as a pydantic model yields an instance of it, one given as JSON Schema a
        JSON value. Raises ModelError if the model's answer does not fit the schema.
        """
        ...
