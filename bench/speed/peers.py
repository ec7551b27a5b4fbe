"""What other servers showed under the same work, as it was published in MEASURED: figures, not measured here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MEASURED = "November 2026"
COLUMNS = ("w1 whole", "w1 stream", "w2 whole", "w2 stream", "w3 whole", "w3 stream")

BARE_COLD_S = 0.5
"""Seconds from bare's start to its first answer then."""

Figures = Mapping[str, tuple[float, float]]
"""Column to p50 in ms with one client, and requests a second with 16."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One server: its figures by column, and the tokens a second that it passed on of 64 paced streams."""

    name: str
    figures: Figures
    tokens_per_s: float


def _peer(name: str, tokens_per_s: float, *cells: tuple[float, float]) -> Peer:
    return Peer(name, dict(zip(COLUMNS, cells, strict=False)), tokens_per_s)


FLOOR = _peer("model server alone", 5600, (0.3, 5284), (0.6, 2673), (0.7, 3037), (1.0, 1775), (1.8, 1182), (2.4, 861))
PEERS = (
    _peer("bare, then", 4350, (2.1, 441), (4.1, 198), (4.2, 200), (5.8, 142), (8.9, 84), (11.4, 70)),
    _peer("Hayhooks 2.1", 2900, (4.0, 234), (12.9, 84), (9.4, 110), (17.0, 64), (23.9, 44), (33.3, 32)),
    _peer(
        "LangChain create_agent + FastAPI", 1650, (4.6, 206), (18.7, 60), (11.8, 86), (27.2, 39), (32.0, 34), (49.7, 22)
    ),
    _peer("Agno 3.1, SQLite sessions", 1650, (9.4, 108), (24.3, 46), (14.9, 68), (29.7, 38)),
    _peer("pydantic-ai 2.62 + FastAPI", 1650, (5.7, 169), (19.9, 52), (12.7, 82), (27.1, 40), (33.4, 32), (53.0, 21)),
    _peer("OGX 1.5", 2300, (7.5, 159), (16.6, 71)),
    _peer("LiteLLM 1.106, gateway only", 700, (16.2, 68), (40.4, 25)),
)
