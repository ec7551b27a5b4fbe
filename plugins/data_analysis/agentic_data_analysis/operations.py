"""The operations by their standard names, and the other names that people and models give them."""

from __future__ import annotations

from typing import Any, Literal

Operation = Literal[
    "summary", "count", "missing", "sum", "mean", "median", "min", "max", "std",
    "quantiles", "value_counts", "correlation",
]  # fmt: skip

NUMERIC = frozenset({"sum", "mean", "median", "min", "max", "std", "quantiles", "correlation"})
"""Operations that need columns of numbers."""

_NAMES = {
    "summary": "describe statistics stats summarize summarise summary_statistics full all overview none null analyze",
    "count": "counts size length n len",
    "missing": "missing_values nulls null_count missing_count isnull isna na nan",
    "sum": "total totals add",
    "mean": "average avg averages means",
    "median": "med medians",
    "min": "minimum lowest smallest",
    "max": "maximum highest largest",
    "std": "stdev stddev standard_deviation std_dev sd",
    "quantiles": "quantile percentile percentiles quartiles quartile",
    "value_counts": "top top_values frequencies frequency mode most_common most_frequent distinct unique histogram",
    "correlation": "correlations corr pearson correlate",
}
_OPERATION_OF = {other: name for name, others in _NAMES.items() for other in others.split()}


def operation_named(name: Any) -> Any:
    """The standard name for another one; an empty or missing one means the summary; others are left as they are."""
    if name is None or name == "":
        return "summary"
    if not isinstance(name, str):
        return name
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    return _OPERATION_OF.get(plain, plain)
