"""The words of plain requests: which operation they ask for, and which requests want something else."""

from __future__ import annotations

import re

from agentic_data_analysis.operations import Operation


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


ASKED: tuple[tuple[Operation, re.Pattern[str]], ...] = (
    ("quantiles", _words(r"(?:quantile|percentile|quartile)s?|p(?:50|75|90|95|99)")),
    ("correlation", _words(r"correlat(?:ions?|ed?|es|ing)")),
    ("std", _words(r"std(?:\.? ?dev)?|stdev|standard deviations?")),
    ("median", _words(r"medians?")),
    ("mean", _words(r"means?|averages?|avg|on average")),
    ("sum", _words(r"sums?|totals?|add up|in total|altogether|overall amount")),
    ("value_counts", _words(r"most (?:common|frequent)|(?:value|frequency) counts?|frequenc(?:y|ies)|distribution")),
    ("missing", _words(r"missing|nulls?|(?:empty|blank) (?:values?|cells?|fields?)")),
    ("max", _words(r"max(?:imum)?|highest|largest|greatest|biggest|most expensive|oldest|latest|tallest|longest")),
    ("min", _words(r"min(?:imum)?|lowest|smallest|least|cheapest|youngest|earliest|shortest")),
    (
        "count",
        _words(r"(?:how many|count|number of)(?: the| all)? (?:rows|records|entries|lines|objects|elements)|count"),
    ),
    (
        "summary",
        _words(
            r"statistics|stats|statistical|descriptive|summari[sz]e|summary|describe|analy[sz]e|analysis|"
            r"key figures|overview"
        ),
    ),
)
"""Each operation with the words that ask for it."""

OTHER_WISHES = _words(
    r"functions?|scripts?|program(?:me)?s?|code|python|pandas|javascript|typescript|java|sql|query|queries|regex|jq|"
    r"excel|formula|schema|class(?:es)?|debug|fix|bugs?|errors?|refactor|convert|translate|transform|format|reformat|"
    r"pretty|valid(?:ate)?|parse|explain|plot|chart|graph|draw|diagram|predict|forecast|trend|story|poem|email|essay|"
    r"where|whose|only|except|excluding|exclud(?:e|ed)|without|if|when|after|before|since|between|above|below|over|"
    r"under|more than|less than|greater than|fewer than|at least|at most|older than|younger than|compare|compared|"
    r"comparison|difference|ratio|growth|change|increase|decrease|weighted|moving|running|cumulative|per cent|percent|"
    r"percentage|share|outliers?|normali[sz]e|rank(?:ing)?|sort(?:ed)?|duplicates?|second|third|why|should|config|"
    r"configuration|settings?|deploy(?:ment)?|endpoint|api"
)
"""Words of wishes that figures alone do not serve: programs, conditions, comparisons, drawings."""

MEANING = re.compile(r"\b(?:does|do|did|would|could)\b[^.?!\n]*\bmean\b|\bmeaning\b", re.I)
"""``mean`` as a verb."""

PERCENTILE = re.compile(r"\b(\d{1,2}(?:\.\d+)?)(?:st|nd|rd|th)? ?(?:percentile|quantile)|\bp(50|75|90|95|99)\b", re.I)

GROUPED = re.compile(
    r"\b(?:grouped by|group by|broken down by|by|per|for each|for every|in each|of each|each)\s+"
    r"(?!(?:column|field|row|record|of|the (?:columns|fields))s?\b)",
    re.I,
)

WHICH = re.compile(r"\b(?:which|what)\s+", re.I)

TOP = re.compile(r"\b(?:top|first)\s+(\d{1,2})\b", re.I)

PLAIN = frozenset(
    """a all an and are as at be calculate can compute could csv data do does determine file find following for from
    get give given have has here i in is it its json list me my need now number of on out please record row set show
    tell that the their them there these this those to want what which will would you your value array object table
    field column along with by each every per item entry s""".split()
)
"""Words, in the singular, that say nothing of what the figures are of."""
