"""Languages of Wikipedia: codes that can stand in an address, and nothing else can."""

from __future__ import annotations

import re

CODE = r"^(simple|[a-z]{2,3}(-[a-z]{2,9}){0,2})$"
"""What a code looks like. It holds neither dot nor slash, so that it can name no other host than it is put before."""

DEFAULT = "en"
_CODE = re.compile(CODE)
_WITH_REGION = re.compile(r"([a-z]{2,3})-(?:(?:hans|hant|latn|cyrl)(?:-[a-z]{2})?|[a-z]{2})")
_NOT_REGIONS = ("nds-nl",)
NAMES = {
    "arabic": "ar",
    "bulgarian": "bg",
    "catalan": "ca",
    "chinese": "zh",
    "croatian": "hr",
    "czech": "cs",
    "danish": "da",
    "dutch": "nl",
    "english": "en",
    "finnish": "fi",
    "french": "fr",
    "german": "de",
    "greek": "el",
    "hebrew": "he",
    "hindi": "hi",
    "hungarian": "hu",
    "indonesian": "id",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "norwegian": "no",
    "persian": "fa",
    "polish": "pl",
    "portuguese": "pt",
    "romanian": "ro",
    "russian": "ru",
    "simple english": "simple",
    "spanish": "es",
    "swedish": "sv",
    "turkish": "tr",
    "ukrainian": "uk",
    "vietnamese": "vi",
}
"""English names of languages with a large Wikipedia; models write them in place of codes."""


def code_of(text: str) -> str:
    """The code of a Wikipedia for ``de``, ``de-DE``, ``zh-Hans``, ``German``. Raises ValueError for others."""
    name = text.strip().lower()
    if name in NAMES:
        return NAMES[name]
    name = name.replace("_", "-")
    region = _WITH_REGION.fullmatch(name)
    if region is not None and name not in _NOT_REGIONS:
        return region[1]
    if not _CODE.fullmatch(name) or name == "www":
        raise ValueError("language is the code of a Wikipedia, such as en, de, fr, pt or simple")
    return name
