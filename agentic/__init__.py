"""agentic: a self-hosted agent backend that speaks the OpenAI API and grows by ``pip install``.

This module is what a plugin author imports, and nothing else; ``agentic.hookspecs`` says what can be extended.
"""

from agentic.decorators import tool
from agentic.errors import (
    AddressRefused,
    AgenticError,
    BadRequest,
    Conflict,
    ContextExceeded,
    FetchError,
    Forbidden,
    LoginUnavailable,
    ModelError,
    ModelNotFound,
    ModelTimeout,
    ModelUnavailable,
    NotFound,
    StorageError,
    ToolError,
    ToolRetry,
    Unauthorized,
)
from agentic.events import Citation, File
from agentic.hookspecs import hookimpl
from agentic.messages import Json, Message, ToolCall, Usage, tool_call
from agentic.ports.agent import GENERAL, Agent, Bid, Fit, Shape, Task
from agentic.ports.blobs import Blob, BlobStore
from agentic.ports.documents import Document, DocumentReader, Documents, Indexer, Page, Passage
from agentic.ports.embedder import Embedder, EmbedderProvider
from agentic.ports.http import Fetched, HttpClient
from agentic.ports.login import LoginProvider, LoginStarted, Outsider
from agentic.ports.model import ModelDelta, ModelInfo, ModelProvider, ModelRequest, Reply, Sampling, ToolSpec
from agentic.ports.router import Candidate, Contest, Decision, Router
from agentic.ports.run import Run
from agentic.ports.space import Principal, Space
from agentic.ports.storage import StorageBackend, Stored
from agentic.ports.texts import TextIndex, Texts
from agentic.ports.tool import NotConfigured, Tool, ToolContext, ToolResult, Traits
from agentic.ports.values import decode_value, encode_value
from agentic.ports.vectors import Hit, Vectors, VectorStore

__all__ = [
    "GENERAL",
    "AddressRefused",
    "Agent",
    "AgenticError",
    "BadRequest",
    "Bid",
    "Blob",
    "BlobStore",
    "Candidate",
    "Citation",
    "Conflict",
    "Contest",
    "ContextExceeded",
    "Decision",
    "Document",
    "DocumentReader",
    "Documents",
    "Embedder",
    "EmbedderProvider",
    "FetchError",
    "Fetched",
    "File",
    "Fit",
    "Forbidden",
    "Hit",
    "HttpClient",
    "Indexer",
    "Json",
    "LoginProvider",
    "LoginStarted",
    "LoginUnavailable",
    "Message",
    "ModelDelta",
    "ModelError",
    "ModelInfo",
    "ModelNotFound",
    "ModelProvider",
    "ModelRequest",
    "ModelTimeout",
    "ModelUnavailable",
    "NotConfigured",
    "NotFound",
    "Outsider",
    "Page",
    "Passage",
    "Principal",
    "Reply",
    "Router",
    "Run",
    "Sampling",
    "Shape",
    "Space",
    "StorageBackend",
    "StorageError",
    "Stored",
    "Task",
    "TextIndex",
    "Texts",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolError",
    "ToolResult",
    "ToolRetry",
    "ToolSpec",
    "Traits",
    "Unauthorized",
    "Usage",
    "VectorStore",
    "Vectors",
    "decode_value",
    "encode_value",
    "hookimpl",
    "tool",
    "tool_call",
]
