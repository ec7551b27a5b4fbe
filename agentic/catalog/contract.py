"""What a plugin's hook may return: the port an object must subclass, the methods it must bring, and its name."""

from __future__ import annotations

import inspect
import json
import math
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from agentic.catalog.catalog import Capability, Kind
from agentic.catalog.fault import Fault
from agentic.catalog.methods import check_method
from agentic.events import AUCTION, REQUEST
from agentic.messages import Json
from agentic.ports.agent import Agent
from agentic.ports.blobs import BlobStore
from agentic.ports.documents import DocumentReader, Indexer
from agentic.ports.embedder import EmbedderProvider
from agentic.ports.login import LoginProvider
from agentic.ports.model import ModelProvider
from agentic.ports.router import Router
from agentic.ports.storage import StorageBackend
from agentic.ports.texts import TextIndex
from agentic.ports.tool import NotConfigured, Risk, Tool, Traits, schema_fault
from agentic.ports.vectors import VectorStore

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
NAME_RULE = "small letters, digits and _, at most 64, a letter first"
TAKEN = {"router": (AUCTION, REQUEST)}
"""Names that mean something of the kernel's own, by kind."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One kind of capability: ``methods`` are those a subclass of ``port`` must write itself."""

    kind: Kind
    port: type
    methods: tuple[str, ...]
    described: bool = False


CONTRACTS = {
    "agentic_tools": Contract("tool", Tool, ("run",), described=True),
    "agentic_agents": Contract("agent", Agent, ("bid", "run"), described=True),
    "agentic_routers": Contract("router", Router, ("decide",)),
    "agentic_model_providers": Contract("model_provider", ModelProvider, ("models", "stream")),
    "agentic_embedders": Contract("embedder", EmbedderProvider, ("resolve",)),
    "agentic_storage_backends": Contract(
        "storage_backend", StorageBackend, ("load", "save", "delete", "delete_under", "list", "append", "read")
    ),
    "agentic_document_readers": Contract("document_reader", DocumentReader, ("recognise", "read")),
    "agentic_indexers": Contract("indexer", Indexer, ("index", "forget")),
    "agentic_vector_stores": Contract("vector_store", VectorStore, ("collection", "scopes", "drop")),
    "agentic_text_indexes": Contract("text_index", TextIndex, ("collection", "scopes", "drop")),
    "agentic_logins": Contract("login", LoginProvider, ("start", "finish")),
    "agentic_blob_stores": Contract("blob_store", BlobStore, ("put", "open", "size", "delete", "delete_under", "list")),
}


def capabilities(hook: str, plugin: str, returned: Any) -> list[Capability]:
    """The capabilities in what ``hook`` returned. Raises Fault if it is, or holds, anything else."""
    contract = CONTRACTS[hook]
    return [_capability(hook, contract, plugin, item) for item in _items(hook, contract, returned)]


def _items(hook: str, contract: Contract, returned: Any) -> list[Any]:
    if returned is None:
        return []
    if isinstance(returned, NotConfigured) or contract.port in type(returned).__mro__:
        return [returned]
    if isinstance(returned, Iterable) and not isinstance(returned, (str, bytes, dict, type)):
        return list(returned)
    raise _wrong_thing(hook, contract, returned)


def _capability(hook: str, contract: Contract, plugin: str, item: Any) -> Capability:
    if isinstance(item, NotConfigured):
        _check_name(contract, item)
        fix = item.fix if isinstance(item.fix, str) and item.fix else f"see the settings of plugin {plugin}"
        return Capability(contract.kind, item.name, plugin, None, 0, fix)
    if contract.port not in type(item).__mro__:
        raise _wrong_thing(hook, contract, item)
    _check_name(contract, item)
    what = f"{contract.kind.replace('_', ' ')} {item.name}"
    for method in contract.methods:
        check_method(what, type(item), contract.port, method)
    if contract.described and not (isinstance(getattr(item, "description", None), str) and item.description.strip()):
        raise Fault(f"{what} has no description", "Give it one: models and people choose by it")
    if not isinstance(item.rank, int):
        raise Fault(f"the rank of {what} is no whole number", "Give it a rank such as 0")
    if contract.kind == "tool":
        _check_tool(what, item)
    if contract.kind == "document_reader":
        _check_reader(what, item)
    return Capability(contract.kind, item.name, plugin, item, item.rank)


def _wrong_thing(hook: str, contract: Contract, item: Any) -> Fault:
    port = contract.port.__name__
    if isinstance(item, type) and contract.port in item.__mro__:
        return Fault(f"its hook {hook} returned the class {item.__name__}", f"Return an instance: {item.__name__}()")
    if hasattr(item, "__await__"):
        # Left alone it would warn, much later and elsewhere, that it was never awaited.
        close = getattr(item, "close", None)
        if close is not None:
            close()
        return Fault(f"its hook {hook} is async", "Write it with def; the methods of what it returns are async")
    decorate = "Put @tool() above it, or return" if port == "Tool" and callable(item) else "Return"
    return Fault(
        f"its hook {hook} returned a {type(item).__name__}", f"{decorate} instances of subclasses of agentic.{port}"
    )


def _check_name(contract: Contract, item: Any) -> None:
    name = getattr(item, "name", None)
    what = contract.kind.replace("_", " ")
    if name is None or name == "":
        raise Fault(f"a {what} of class {type(item).__name__} has no name", "Give it one, such as my_" + contract.kind)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Fault(f"the {what} name {str(name)[:80]!r} is not allowed", f"Rename it: {NAME_RULE}")
    if name in TAKEN.get(contract.kind, ()):
        raise Fault(f"the {what} name {name!r} is the kernel's own", "Rename it")


def _check_tool(what: str, item: Any) -> None:
    if not isinstance(item.traits, Traits):
        raise Fault(f"the traits of {what} are no agentic.Traits", "Set traits = Traits(...)")
    _check_traits(what, item.traits)
    args = getattr(item, "args", None)
    wrong = schema_fault(_schema_of(what, args)) or (_literal_fault(args) if isinstance(args, dict) else "")
    if wrong:
        example = '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'
        raise Fault(
            f"the arguments of {what} are invalid: {wrong}", f"Use a pydantic model, or a schema like {example}"
        )


def _check_reader(what: str, item: Any) -> None:
    """It is made anew in a process of its own, from its class's place alone."""
    types = getattr(item, "media_types", None)
    if not isinstance(types, tuple) or not types or not all(isinstance(one, str) and "/" in one for one in types):
        raise Fault(f"the media_types of {what} are no tuple of media types", 'Write media_types = ("text/x-recipe",)')
    kind = type(item)
    if getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is not kind:
        raise Fault(
            f"the class {kind.__qualname__} of {what} does not lie at the top of its module",
            "Move it there: a process of its own imports it",
        )
    try:
        inspect.signature(kind).bind()
    except TypeError:
        raise Fault(
            f"the class {kind.__name__} of {what} cannot be made without arguments",
            "Leave them out: a process of its own makes it",
        ) from None


def _check_traits(what: str, traits: Traits) -> None:
    if not isinstance(traits.examples, tuple) or not all(isinstance(one, str) for one in traits.examples):
        raise Fault(
            f"the examples of {what} are no tuple of texts", 'Write examples=("Roll two dice", "Give me a d20")'
        )
    limit = traits.timeout_s
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit < math.inf:
        raise Fault(f"the timeout_s of {what} is no positive number", "Give it seconds, such as timeout_s=30")
    if traits.risk not in get_args(Risk):
        raise Fault(f"the risk of {what} is unknown", f"Write one of: {', '.join(get_args(Risk))}")


def _schema_of(what: str, args: Any) -> Any:
    if not (isinstance(args, type) and issubclass(args, BaseModel)):
        return args
    try:
        return args.model_json_schema()
    except Exception as error:
        raise Fault(
            f"the arguments of {what} have no JSON Schema ({type(error).__name__})",
            "Use types that JSON has, or give them a schema with WithJsonSchema",
        ) from error


def _literal_fault(schema: Json) -> str:
    """What is wrong with a schema that was written by hand; empty if nothing is."""
    if "type" not in schema:
        return "the schema's type is not 'object'"
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return "the schema is not JSON"
    return ""
