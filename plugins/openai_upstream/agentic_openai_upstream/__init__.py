"""Models of any server that speaks OpenAI's API: chat, and embeddings."""

from agentic import NotConfigured, hookimpl
from agentic_openai_upstream.embedder import UpstreamEmbedders
from agentic_openai_upstream.provider import UpstreamProvider
from agentic_openai_upstream.settings import NOT_CONFIGURED, Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """OPENAI_UPSTREAMS, or OPENAI_UPSTREAM_URL for one server alone."""
    return Settings


@hookimpl
def agentic_model_providers(settings: Settings) -> list[UpstreamProvider] | NotConfigured:
    """A provider for each server that is set."""
    servers = settings.servers
    return [UpstreamProvider(name, server) for name, server in servers.items()] if servers else NOT_CONFIGURED


@hookimpl
def agentic_embedders(settings: Settings) -> list[UpstreamEmbedders] | NotConfigured:
    """The embedding models of each server that is set."""
    servers = settings.servers
    return [UpstreamEmbedders(name, server) for name, server in servers.items()] if servers else NOT_CONFIGURED
