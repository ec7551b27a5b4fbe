"""The kit for providers, run on the real engine and model."""

from __future__ import annotations

from agentic.testing.provider import ProviderConformance


class TestLlamaCpp(ProviderConformance):
    """``provider`` comes from conftest."""

    provider = None
