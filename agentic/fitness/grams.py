"""Text as the pieces that cheap judges weigh: words, letters, and the skeleton that small words and signs make."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+(?:[.,:]\d+)*|[^\w\s]")
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
SMALL_WORDS = frozenset(
    (
        "a about after again all also an and any are as at be because before both but by can compare could did do does "
        "each either every find first for from get give had has have he her here him his how i if in is it its just "
        "last let list look make me more my next no not now of on or our out per please plus search second separately "
        "she should show so some such tell than that the their them then there these they third this those to too up "
        "us use versus vs was we well were what when where which while who whom whose why will with without would "
        "write you your according based depending finally afterwards respectively "
        "aber alle als am an auch auf aus außerdem bei beide bitte da dann danach das dem den denn der des die dir du "
        "ein eine einem einen einer er es finde für gib hat ich ihr ihre im in ist ja jetzt kann kein man mein meine "
        "mir mit nach nicht noch nun nur oder ob schreib schreibe sein seine sich sie sind so suche und uns vergleiche "
        "vom von vor wann war warum was welche welcher welches wenn wer wie wird wo zeige zu zum zur zuerst "
        "à après au aussi aux avec ce ces cherche combien comment compare d'abord dans de des dis donne du elle en "
        "ensuite est et eux explique il ils je la le les leur lui ma mais me mes moi mon ne nous on ou où par pas plus "
        "pour puis qu quand que quel quelle quelles quels qui sa sans se ses si son sont sur ta te toi ton trouve tu "
        "un une va vous y "
        "a al algo busca como compara con cual cuando cuánto cuántos cuál cómo de del después dime donde el ella en "
        "entre es ese eso esta este esto fue ha hay la las le lo los luego me mi mis muy más no nos o para pero por "
        "porque primero que quien quién qué se ser si sin sobre su sus también te tu un una y ya dónde "
        "allora anche che chi ci come con confronta cosa da dei del della di dimmi dopo dove e gli ha i il la le lo ma "
        "mi nel non per perché più poi prima quale quando quanto sono su trova tu tra un una "
        "ao as com como da das depois do dos e ela ele em entre eu foi isso isto mas me meu na nas no nos o onde os ou "
        "para pela pelo por quais qual quando que quem são se seu sua também tem um uma "
        "en een het hoe ik is jij met naar niet of op te van voor wat wie "
        "и в на что как кто где когда если потом затем а или с по о об не это мне я ты jak co jest i w na gdzie kto"
    ).split()
)


class Pieces(NamedTuple):
    """The pieces of a text: its words and pairs of them, and their letters."""

    words: frozenset[str]
    letters: frozenset[str]


def tokens(text: str) -> tuple[str, ...]:
    """Words, numbers and signs, as written."""
    return tuple(TOKEN.findall(text))


def letters(word: str) -> list[str]:
    """Three and four letters in a row of a word, its ends marked; of scripts without spaces one and two as well."""
    if WIDE.search(word):
        return [*word, *map("".join, pairwise(word))]
    marked = f"_{word}_"
    return [marked[n : n + size] for size in (3, 4) for n in range(max(1, len(marked) - size + 1))]


@lru_cache(maxsize=3)
def wording(text: str) -> Pieces:
    """What a text is about: its words and neighbouring pairs of them, and their letters.

    The last are kept: a request is judged by its tools' likeness and by itself, mostly with the same text, and its
    first part and the user's last turn may come between.
    """
    words = [word.lower() for word in tokens(text) if word[0].isalnum()]
    words = [word if word[0].isalpha() else "0" for word in words]
    spoken = [f"w:{word}" for word in words]
    spoken += [f"b:{one} {two}" for one, two in pairwise(words)]
    return Pieces(frozenset(spoken), frozenset([f"c:{piece}" for word in words for piece in letters(word)]))


def skeleton(text: str) -> list[str]:
    """How a text is built: rows of two to four small words and signs, all else reduced to what kind of word it is."""
    kinds: list[str] = ["^"]
    for place, word in enumerate(tokens(text)):
        kind = _kind(word, place)
        if kind != kinds[-1] or kind not in {"x", "X", "0"}:
            kinds.append(kind)
    kinds.append("$")
    return [
        "s:" + " ".join(kinds[start : start + size]) for size in (1, 2, 3, 4) for start in range(len(kinds) - size + 1)
    ]


def _kind(word: str, place: int) -> str:
    lower = word.lower()
    if lower in SMALL_WORDS or not word[0].isalnum():
        return lower
    if word[0].isdigit():
        return "0"
    return "X" if word[0].isupper() and place else "x"
