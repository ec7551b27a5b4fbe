"""The key words once documented for choosing a strategy: what ours is measured against."""

from __future__ import annotations

REACT: tuple[str, ...] = ("then", "after that", "next", "followed by", "step by step", "first", "second", "third", "if")
REACT += ("depending on", "based on")
PLAN = (" and ", " also ", " plus ", "both", "all", "multiple", "comprehensive", "complete analysis")


def by_keywords(text: str) -> str:
    """The strategy whose key words occur more often; react where they tie. It knows no plain conversation."""
    lower = text.lower()
    react, plan = (sum(word in lower for word in words) for words in (REACT, PLAN))
    return "plan_execute" if plan > react else "react"
