"""Plain requests that name the user's documents, by rule: ``What do my documents say about X?`` looks for X.

Rules lean to silence: a request that names no document of the user's, or asks for a second thing, is the model's.
"""

from __future__ import annotations

import re

from agentic import Json

_LONGEST = 300
_MINE = r"(?:my|our|the\s+uploaded|the\s+attached|these|all\s+my|all)(?:\s+own|\s+uploaded|\s+stored)?"
_THINGS = r"(?:documents?|docs?|files?|uploads?|notes|pdfs?|papers|knowledge\s+base)"
_TOPIC = r"(?P<topic>\S.*?)"
_FILE = r"(?P<file>[\w()\[\]+-][\w .()\[\]+-]{0,80}\.(?:pdf|docx|txt|md|html?|csv|json))"
_SAY = r"(?:say|says|tell\s+(?:me|us)|state|mention|contain)"
_RULES = [
    re.compile(rule, re.IGNORECASE)
    for rule in (
        rf"what\s+do(?:es)?\s+{_MINE}\s+{_THINGS}\s+{_SAY}\s+(?:about|on|of|regarding)\s+{_TOPIC}",
        rf"what\s+does\s+(?:the\s+(?:file|document)\s+)?{_FILE}\s+{_SAY}\s+(?:about|on|of|regarding)\s+{_TOPIC}",
        rf"(?:search|look\s+(?:in|through)|check|scan|go\s+through)\s+{_MINE}\s+{_THINGS}\s+(?:for|about|on)\s+"
        rf"(?:the\s+words?\s+|anything\s+(?:on|about)\s+)?{_TOPIC}",
        rf"(?:search|look\s+in|check)\s+{_FILE}\s+for\s+{_TOPIC}",
        rf"(?:search|look|find)\s+(?:for\s+)?{_TOPIC}\s+in\s+{_MINE}\s+{_THINGS}",
        rf"(?:find|look\s+up)\s+{_TOPIC}\s+in\s+{_FILE}",
        rf"(?:according\s+to|in|from|based\s+on)\s+{_MINE}\s+{_THINGS}\s*[,:]\s*{_TOPIC}",
        rf"(?:according\s+to|in|based\s+on)\s+{_FILE}\s*[,:]\s*{_TOPIC}",
        rf"was\s+(?:steht|sagen)\s+(?:in\s+)?mein(?:en?|e)\s+(?:dokumenten?|dateien|unterlagen|notizen)\s+"
        rf"(?:über|zu[mr]?)\s+{_TOPIC}",
        rf"durchsuche\s+meine\s+(?:dokumente|dateien|unterlagen)\s+nach\s+(?:der|dem|den)?\s*{_TOPIC}",
        rf"que\s+disent\s+mes\s+(?:documents|fichiers|notes)\s+(?:sur|de|à\s+propos\s+de)\s+{_TOPIC}",
        rf"[¿\s]*qu[ée]\s+dicen\s+mis\s+(?:documentos|archivos|notas)\s+(?:sobre|de)\s+{_TOPIC}",
    )
]
_MARKS = (
    "doc file upload note pdf paper knowledge .txt .md .htm .csv .json dok datei unterlagen notiz fichier archivo nota"
).split()
"""Documents: every request that is read has one of them, and they are looked for in next to no time."""
_POLITE = re.compile(r"^\s*(?:(?:hey|hi|ok|please|bitte)[,\s]+)*(?:(?:can|could|would)\s+you\s+(?:please\s+)?)?", re.I)
_END = re.compile(r"(?:[\s,]+(?:please|thanks|bitte))*[\s.?!…]*$", re.IGNORECASE)
_SECOND = re.compile(
    r"\n|[.?!;]\s+\S|\b(?:and|then|und|et|y)\s+(?:then\s+|also\s+)?(?:summari[sz]e|compare|calculate|write|translate|list|"
    r"count|draw|plot|make|send|tell|give|explain|search|look|find)\b"
    r"|^(?:it|this|that|them|something|anything|more|das|es|ça|lo)$",
    re.IGNORECASE,
)


def arguments_in(text: str) -> Json | None:
    """The arguments of ``rag_retrieval`` for a request that clearly asks for one search of documents, else None."""
    lower = text.lower()
    if not 0 < len(text) <= _LONGEST or not any(mark in lower for mark in _MARKS):
        return None
    request = _END.sub("", _POLITE.sub("", text.strip(), count=1), count=1)
    for rule in _RULES:
        match = rule.fullmatch(request)
        if match is None:
            continue
        topic = match["topic"].strip(" \t\"'“”„«»`")
        if not topic or _SECOND.search(topic):
            return None
        file = match.groupdict().get("file")
        return {"query": topic} if file is None else {"query": topic, "documents": [file.strip()]}
    return None
