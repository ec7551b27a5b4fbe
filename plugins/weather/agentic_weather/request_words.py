"""The words of plain requests for the weather: times, questions in five languages, and what is no place."""

from __future__ import annotations

import re

NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10, "drei": 3, "trois": 3}
_NUMBER = rf"(?P<number>\d{{1,2}}|{'|'.join(NUMBERS)})"
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_PARTS = r"(?:\s+(?:morning|afternoon|evening|night))?"
_TIMES: tuple[tuple[str, int], ...] = (
    (r"(?:the\s+)?day\s+after\s+tomorrow|übermorgen|après-demain|pasado\s+mañana|dopodomani", 3),
    (rf"tomorrow{_PARTS}|morgen(?:\s+früh)?|demain|mañana|domani", 2),
    (r"today|tonight|right\s+now|now|currently|at\s+the\s+moment|this\s+(?:morning|afternoon|evening)", 1),
    (r"heute(?:\s+abend)?|gerade|jetzt|aujourd'hui|maintenant|hoy|ahora|oggi|adesso", 1),
    (rf"(?:on\s+|this\s+)?{_WEEKDAY}{_PARTS}", 7),
    (r"(?:on\s+|over\s+|at\s+|for\s+)?(?:the\s+|this\s+|the\s+coming\s+)?weekend|am\s+wochenende|ce\s+week-end", 7),
    (r"next\s+week|nächste\s+woche|la\s+semaine\s+prochaine|la\s+próxima\s+semana", 14),
    (r"(?:for\s+)?(?:this|the\s+(?:next|coming))\s+week|diese\s+woche|cette\s+semaine|esta\s+semana", 7),
    (rf"(?:(?:for|over|in|within)\s+)?(?:the\s+)?(?:next\s+|coming\s+)?{_NUMBER}[\s-]+days?", 0),
    (r"(?:für\s+|in\s+)?(?:die\s+|den\s+)?nächsten?\s+(?P<number>\d{1,2}|drei)\s+tagen?", 0),
)
DAYS = [(re.compile(pattern, re.IGNORECASE), days) for pattern, days in _TIMES]
"""Times, and the days from today on that a forecast needs to reach them; 0: the number that is named."""

_TIME = "|".join(re.sub(r"\(\?P<number>", "(?:", pattern) for pattern, _ in _TIMES)
WHEN = re.compile(
    rf"\s(?:{_TIME}|yesterday|last|next|this|gestern|letzte\w*|hier|ayer|ieri|in|for|on|during)\s", re.IGNORECASE
)
"""A time, or the beginning of one, within what should be a place's name."""

NO_PLACE = frozenset(
    (
        "my your our his her their here there home me us it this that these those general space mars venus jupiter "
        "january february march april may june july august september october november december spring summer autumn "
        "fall winter morning evening night day days week month year past future history english german celsius "
        "fahrenheit kelvin degrees and or vs versus than with using if when while because but about what which who "
        "weather forecast code python minecraft sales revenue stocks stock hell und oder mit et ou avec y o con e "
        "mir uns hier dort meiner meinem ma mon mi somewhere anywhere everywhere sun oven fridge room outside"
    ).split()
)
"""Words that make a text no name of a place, or the name of more than one."""

NO_NAME = frozenset("area region town city country countryside place world mountains coast sea north south".split())
"""Words that are part of names (Cape Town), and no name by themselves."""

_PLACE = r"(?P<place>[^\W\d_](?:[\w.'-]|,? )*?)"
_BEFORE, _AFTER = rf"(?:\s+(?P<before>{_TIME}))?", rf"(?:,?\s+(?P<after>{_TIME}))?"
_ASK = (
    r"(?:(?:what(?:'s|s| is| will)|how(?:'s| is| will)|tell me|show me|give me|get me|get|check|i need|i want)\s+)?"
    r"(?:(?:the|a)\s+)?(?:current\s+|local\s+)?"
)
_BE = r"(?:\s+(?:going\s+to\s+be|be|look(?:ing)?|gonna\s+be))?(?:\s+like)?"
_PATTERNS = (
    rf"{_ASK}weather(?:\s+(?:forecast|report))?{_BE}{_BEFORE}\s+(?:in|for|at|near)\s+{_PLACE}{_AFTER}",
    rf"{_ASK}(?P<before>\d{{1,2}}[- ]days?)\s+(?:weather\s+)?forecast\s+(?:in|for)\s+{_PLACE}",
    rf"{_ASK}(?P<bare>forecast){_BEFORE}\s+(?:in|for)\s+{_PLACE}{_AFTER}",
    rf"{_ASK}temperature{_BE}{_BEFORE}\s+in\s+{_PLACE}{_AFTER}",
    rf"(?:will\s+it|is\s+it\s+going\s+to|does\s+it)\s+(?:rain|snow){_BEFORE}\s+in\s+{_PLACE}{_AFTER}",
    rf"is\s+it\s+(?:raining|snowing){_BEFORE}\s+in\s+{_PLACE}{_AFTER}",
    rf"(?:do|will)\s+i\s+need\s+an\s+umbrella{_BEFORE}\s+in\s+{_PLACE}{_AFTER}",
    rf"(?:wie\s+(?:wird|ist)\s+)?(?:das\s+)?wetter{_BEFORE}\s+(?:in|für)\s+{_PLACE}{_AFTER}",
    rf"wie\s+(?:wird|ist)\s+(?:es\s+)?(?P<before>heute|morgen|übermorgen)\s+das\s+wetter\s+in\s+{_PLACE}",
    rf"(?:regnet|schneit)\s+es{_BEFORE}\s+in\s+{_PLACE}{_AFTER}",
    rf"brauche\s+ich{_BEFORE}\s+in\s+{_PLACE}{_AFTER}\s+einen\s+(?:regen)?schirm",
    rf"quel\s+temps\s+(?:fait-il|fera-t-il|va-t-il\s+faire){_BEFORE}\s+à\s+{_PLACE}{_AFTER}",
    rf"(?:la\s+|quelle\s+est\s+la\s+)?m[ée]t[ée]o\s+(?:à|pour)\s+{_PLACE}{_AFTER}",
    rf"qu[ée]\s+tiempo\s+(?:hace|hará|va\s+a\s+hacer){_BEFORE}\s+en\s+{_PLACE}{_AFTER}",
    rf"che\s+tempo\s+(?:fa|farà){_BEFORE}\s+a\s+{_PLACE}{_AFTER}",
)
RULES = [re.compile(pattern, re.IGNORECASE) for pattern in _PATTERNS]
