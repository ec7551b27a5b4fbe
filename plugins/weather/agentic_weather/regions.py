"""Names of regions as people shorten them, and names in a form in which they can be compared."""

from __future__ import annotations

import unicodedata

_STATES = (
    "AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware|FL Florida|"
    "GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas|KY Kentucky|LA Louisiana|ME Maine|"
    "MD Maryland|MA Massachusetts|MI Michigan|MN Minnesota|MS Mississippi|MO Missouri|MT Montana|NE Nebraska|"
    "NV Nevada|NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York|NC North Carolina|ND North Dakota|OH Ohio|"
    "OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island|SC South Carolina|SD South Dakota|TN Tennessee|TX Texas|"
    "UT Utah|VT Vermont|VA Virginia|WA Washington|WV West Virginia|WI Wisconsin|WY Wyoming|DC District of Columbia"
)
_PROVINCES = (
    "AB Alberta|BC British Columbia|MB Manitoba|NB New Brunswick|NL Newfoundland and Labrador|NS Nova Scotia|"
    "NT Northwest Territories|NU Nunavut|ON Ontario|PE Prince Edward Island|QC Quebec|SK Saskatchewan|YT Yukon"
)
_COUNTRIES = {
    "usa": "us",
    "united states of america": "us",
    "america": "us",
    "uk": "gb",
    "great britain": "gb",
    "britain": "gb",
    "uae": "ae",
    "holland": "nl",
    "south korea": "kr",
    "north korea": "kp",
    "czech republic": "cz",
    "turkey": "tr",
    "turkiye": "tr",
    "ivory coast": "ci",
    "burma": "mm",
    "swaziland": "sz",
}


def folded(name: str) -> str:
    """A name without case, accents, dots and hyphens: ``St.-Étienne`` is ``st etienne``."""
    plain = unicodedata.normalize("NFKD", name.casefold()).replace(".", "").replace("-", " ")
    return " ".join("".join(one for one in plain if not unicodedata.combining(one)).split())


def _table(listed: str, country: str) -> dict[tuple[str, str], str]:
    return {(country, entry[:2].lower()): folded(entry[3:]) for entry in listed.split("|")}


_ABBREVIATED = _table(_STATES, "us") | _table(_PROVINCES, "ca")


def spelled(abbreviation: str, country_code: str) -> str:
    """The state or province that two letters mean in the United States or in Canada, folded; empty for none."""
    return _ABBREVIATED.get((country_code.lower(), folded(abbreviation)), "")


def country_code(name: str) -> str:
    """The code of a country that has another name in the gazetteer than the folded one; empty for none."""
    return _COUNTRIES.get(name, "")
