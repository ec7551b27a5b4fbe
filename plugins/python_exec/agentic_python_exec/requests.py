"""Plain requests to programs, by rule: a fenced block of Python together with a wish to have it run."""

from __future__ import annotations

import ast
import re

MAX_REQUEST = 20_000
# People open a block in the middle of a line, too.
_BLOCK = re.compile(r"```[ \t]*(python3?|py)?[ \t\r]*\n(.*?\n)[ \t]*```", re.DOTALL | re.IGNORECASE)
_WISH = re.compile(
    r"\b(run|runs|execute|evaluate|plot|draw|compute|calculate|simulate|try (it |this )?out|start|launch"
    r"|what (does|do|will|would|is) (it|this|that|the (code|program|script|snippet))\b"
    r".{0,40}\b(print|output|return|give|do|result)"
    r"|(what|which) (is|are) the (output|result)|output of (this|the)|print(s|ed)? by"
    r"|führe?\b.{0,60}\baus|ausführen|exécute|ejecuta|execute)\b",
    re.IGNORECASE | re.DOTALL,
)
_NO_WISH = re.compile(
    r"\b((do ?n['o]t|do not|never|without) (run|execut)\w*|not (run|execute)"
    r"|why\b|complexity\b|explain\b|review\b|refactor\b|translate\b"
    r"|(run|running) time\b|how (do|can|would|should) (i|you|one) (run|execute|start))",
    re.IGNORECASE,
)


def program_in(text: str) -> str | None:
    """The program that a request asks to have run, or None. Rules lean to silence."""
    if len(text) > MAX_REQUEST or "```" not in text:
        return None
    blocks = _BLOCK.findall(text)
    if len(blocks) != 1:
        return None
    language, code = blocks[0]
    words = _BLOCK.sub(" ", text)
    if not code.strip() or not _WISH.search(words) or _NO_WISH.search(words):
        return None
    return code if _is_python(code, named=bool(language)) else None


def _is_python(code: str, *, named: bool) -> bool:
    """Whether it is a program; a block that does not say so must at least call or assign something."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # A block that says that it is Python is run all the same: the user then sees the error.
        return named
    doing = (ast.Call, ast.Assign, ast.Import, ast.ImportFrom)
    return named or any(isinstance(node, doing) for node in ast.walk(tree))
