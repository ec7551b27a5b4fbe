"""Models of an Ollama server: chat, and embeddings."""

from agentic import hookimpl
from agentic_ollama.embedder import OllamaEmbedders
from agentic_ollama.provider import OllamaProvider
from agentic_ollama.settings import Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """OLLAMA_HOST, OLLAMA_MODEL and how its models sample."""
    return Settings


@hookimpl
def agentic_model_providers(settings: Settings) -> OllamaProvider:
    """The chat models of the server."""
    return OllamaProvider(settings)


@hookimpl
def agentic_embedders(settings: Settings) -> OllamaEmbedders:
    """The embedding models of the server."""
    return OllamaEmbedders(settings)
