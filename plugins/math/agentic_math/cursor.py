"""A place in a text that is being read."""

from __future__ import annotations

from agentic import ToolRetry
from agentic_math.notation import Token, refusal, tokens_of

MAX_DEPTH = 80
MAX_TOKENS = 800
END = Token("end", "", -1, -1)


class Cursor:
    """Walks over the tokens of a normalised text. Raises ToolRetry if there are more than MAX_TOKENS."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens_of(text)
        if len(self.tokens) > MAX_TOKENS:
            raise ToolRetry(f"The expression has more than {MAX_TOKENS} parts. Split it up.")
        self.position = 0
        self.depth = 0

    def peek(self, ahead: int = 0) -> Token:
        """The token so many places on, or END."""
        index = self.position + ahead
        return self.tokens[index] if 0 <= index < len(self.tokens) else END

    def next(self) -> Token:
        """Take the next token, or END."""
        token = self.peek()
        self.position += 1
        return token

    def takes(self, *signs: str) -> str:
        """Take the next token if it is one of the signs, and tell which; else the empty string."""
        token = self.peek()
        if token.kind == "sign" and token.text in signs:
            self.position += 1
            return token.text
        return ""

    def takes_word(self, word: str) -> bool:
        """Take the next token if it is this word and no function."""
        if self.peek().kind == "name" and self.peek().text == word and self.peek(1).text != "(":
            self.position += 1
            return True
        return False

    def deeper(self) -> None:
        """Enter one more level. Raises ToolRetry beyond MAX_DEPTH."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ToolRetry(f"The expression is nested deeper than {MAX_DEPTH} levels. Split it up.")

    def refusal(self, reason: str, token: Token | None = None) -> ToolRetry:
        """An error that points to a token, by default the next one."""
        token = token or self.peek()
        return refusal(self.text, len(self.text) if token is END else token.start, reason)
