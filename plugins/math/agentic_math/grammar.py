"""Tokens to a tree, by operator precedence. Nothing is ever executed: a text can only become :mod:`nodes`.

From loose to tight: ``,`` | ``= < >`` | ``to`` | ``+ -`` | ``* / // mod of`` and things written side by side | sign |
``^`` | ``! %``. A number and the unit that follows it bind tighter than ``/`` does: ``100 km / 2 h`` is a speed.
"""

from __future__ import annotations

import difflib

from agentic import ToolRetry
from agentic_math import names, nodes, units
from agentic_math.cursor import END, Cursor
from agentic_math.nodes import Node
from agentic_math.notation import EXAMPLES, MAX_LENGTH, Token, normalise

_RELATIONS = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "->": "->"}


def parse(expression: str) -> Node:
    """The tree of an expression in plain notation.

    Raises ToolRetry if it is empty, longer than MAX_LENGTH characters, nested too deeply, or unreadable.
    """
    if len(expression) > MAX_LENGTH:
        raise ToolRetry(f"The expression has {len(expression)} characters; the limit is {MAX_LENGTH}. Split it up.")
    text = normalise(expression)
    if not text:
        raise ToolRetry(f"The expression is empty. Expressions that work: {EXAMPLES}.")
    return _Reader(text).read()


class _Reader(Cursor):
    """Recursive descent over one expression."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.has_units = self._finds_units()

    def read(self) -> Node:
        values = [self.statement()]
        while self.takes(",", ";") or self.takes_word("and"):
            values.append(self.statement())
        if self.peek() is not END:
            raise self.refusal(f"{self.peek().text!r} does not belong here")
        return values[0] if len(values) == 1 else nodes.Items(tuple(values))

    def statement(self) -> Node:
        """A relation, or a value; ``17*23 =`` is the value."""
        left = self.conversion()
        sign = self.peek().text
        if self.peek().kind != "sign" or sign not in _RELATIONS:
            return left
        self.next()
        if self.peek() is END and sign == "=":
            return left
        relation = nodes.Relation(_RELATIONS[sign], left, self.conversion())
        if self.peek().text in _RELATIONS:
            raise self.refusal("write one relation at a time, e.g. `solve(1 < x, x)`")
        return relation

    def conversion(self) -> Node:
        """``3 km to miles``, also with ``convert`` before it and ``in`` or ``into`` in the middle."""
        if self.peek().text in ("convert", "Convert") and self.peek(1).text != "(":
            self.next()
        value = self.sum()
        if not self._is_conversion_word(self.position):
            return value
        self.next()
        start = self.peek().start
        unit = self.product()
        label = self.text[start : self.tokens[self.position - 1].end].strip()
        return nodes.Conversion(value, unit, label)

    def sum(self) -> Node:
        """Terms; ``5 ft 3 in`` is a sum too."""
        left = self.product()
        while True:
            if sign := self.takes("+", "-"):
                left = nodes.Operation(sign, left, self.product())
            elif self.has_units and isinstance(left, nodes.Operation) and self.peek().kind == "number":
                left = nodes.Operation("+", left, self.product())
            else:
                return left

    def product(self) -> Node:
        left = self.signed()
        while True:
            if sign := self.takes("*", "/", "//"):
                left = nodes.Operation(sign, left, self.signed())
            elif self.takes_word("mod") or self._takes_modulo():
                left = nodes.Operation("mod", left, self.signed())
            elif self.takes_word("of"):
                left = nodes.Operation("*", left, self.signed())
            elif self._begins_factor():
                left = nodes.Operation("*", left, self.power(), implicit=True)
            else:
                return left

    def signed(self) -> Node:
        self.deeper()
        if self.takes("-"):
            value: Node = nodes.Negation(self.signed())
        elif self.takes("+"):
            value = self.signed()
        else:
            value = self.power()
            while isinstance(value, nodes.Number | nodes.Operation) and self._begins_unit():
                value = nodes.Operation("*", value, self.power(), implicit=True)
        self.depth -= 1
        return value

    def power(self) -> Node:
        base = self.postfix()
        if self.takes("^", "**"):
            return nodes.Operation("^", base, self.signed())
        return base

    def postfix(self) -> Node:
        value = self.atom()
        while True:
            if self.takes("!"):
                value = nodes.Factorial(value)
            elif (self.peek().text == "%" and not self._begins_operand(1)) or self.peek().text == "percent":
                self.next()
                value = nodes.Percent(value)
            else:
                return value

    def atom(self) -> Node:
        token = self.next()
        if token.kind == "number":
            if self.peek().kind == "number":
                raise self.refusal("two numbers stand side by side; write the sign between them")
            return nodes.Number(token.text)
        if token.kind == "name":
            return self.named(token)
        if token.text in ("√", "∛"):
            argument = self.signed() if self.peek().text == "-" else self.power()
            return nodes.Call("sqrt" if token.text == "√" else "cbrt", (argument,))
        if token.text in ("(", "["):
            return self.bracketed(token.text)
        if token.kind == "side":
            raise self.refusal("texts in quotes are not allowed", token)
        raise self.refusal(f"{token.text!r} stands where a value should" if token.text else "it ends too early", token)

    def bracketed(self, opening: str) -> Node:
        closing = ")" if opening == "(" else "]"
        after_name = self.peek(-2).kind == "name"
        values = self.items(closing)
        if not values or (opening == "(" and len(values) > 1 and after_name):
            raise self.refusal("these brackets follow no known function" if values else "the brackets are empty")
        if opening == "(" and len(values) == 1:
            return values[0]
        return nodes.Items(values)

    def items(self, closing: str) -> tuple[Node, ...]:
        """Values up to the closing bracket, which is taken too."""
        self.deeper()
        values: list[Node] = []
        while not self.takes(closing):
            values.append(self.argument())
            if not self.takes(",") and self.peek().text != closing:
                found = self.peek().text
                raise self.refusal(f"{closing!r} is missing" + (f" before {found!r}" if found else ""))
        self.depth -= 1
        return tuple(values)

    def argument(self) -> Node:
        """A statement; in a limit also the side, ``'+'`` or ``dir='+'``."""
        if self.peek().text == "dir" and self.peek(1).text == "=" and self.peek(2).kind == "side":
            self.position += 2
        if self.peek().kind == "side":
            return nodes.Side(self.next().text[1])
        return self.statement()

    def named(self, token: Token) -> Node:
        function = names.function_named(token.text)
        called = self.peek().text == "("
        if called and function:
            return self.call(token, function)
        if token.text in units.ANGLES or (self.has_units and (units.is_unit(token.text) or token.text == "in")):
            return nodes.Unit("inch" if token.text == "in" else token.text)
        if token.text in names.RESERVED:
            raise self.refusal(f"the word {token.text!r} does not belong here", token)
        if called and self.peek().start == token.end and self._must_be_function(token.text):
            raise self.unknown_function(token)
        if function in names.APPLIED_BARE:
            return self.applied_bare(function)
        return nodes.Name(token.text)

    def call(self, token: Token, function: str) -> Node:
        self.next()
        start = self.position
        arguments = self.items(")")
        if function != "convert":
            return nodes.Call(function, arguments)
        if len(arguments) != 2:
            raise self.refusal("convert takes a quantity and a unit: `convert(3*km, mile)`", token)
        depth, comma = 0, start
        for index in range(start, self.position):
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(self.tokens[index].text, 0)
            if depth == 0 and self.tokens[index].text == ",":
                comma = index
                break
        label = self.text[self.tokens[comma].end : self.tokens[self.position - 1].start].strip()
        return nodes.Conversion(arguments[0], arguments[1], label)

    def applied_bare(self, function: str) -> Node:
        """``sin x``, ``sin 2x``, ``sin^2(x)``; in ``sin x cos x`` the next function begins a factor of its own."""
        exponent = self.signed_exponent() if self.takes("^", "**") else None
        if self.peek() is END or (self.peek().kind == "sign" and self.peek().text not in ("(", "√", "-")):
            raise self.refusal(f"{function} needs an argument in parentheses: {function}(x)")
        in_parentheses = self.peek().text == "("
        argument = self.postfix() if in_parentheses else self.signed()
        while not in_parentheses and self._begins_factor() and not self._begins_function():
            argument = nodes.Operation("*", argument, self.power(), implicit=True)
        value: Node = nodes.Call(function, (argument,))
        return value if exponent is None else nodes.Operation("^", value, exponent)

    def signed_exponent(self) -> Node:
        negative = self.takes("-")
        value = self.atom()
        return nodes.Negation(value) if negative else value

    def unknown_function(self, token: Token) -> ToolRetry:
        near = difflib.get_close_matches(token.text, [*names.FUNCTIONS, *names.ALIASES], n=1, cutoff=0.7)
        hint = (
            f"did you mean {near[0]}?"
            if near
            else "known are sqrt, log, sin, diff, integrate, solve, det, mean and the like"
        )
        return self.refusal(f"there is no function {token.text!r}; {hint}", token)

    def _finds_units(self) -> bool:
        words = [token.text for token in self.tokens if token.kind == "name"]
        minutes = any(
            token.text == "min" and (index + 1 == len(self.tokens) or self.tokens[index + 1].text != "(")
            for index, token in enumerate(self.tokens)
        )
        if minutes or any(word in ("convert", "Convert") or units.speaks_of_units(word) for word in words):
            return True
        return any(
            self._is_conversion_word(index) and units.is_unit(self.tokens[index + 1].text)
            for index in range(1, len(self.tokens) - 1)
        )

    def _is_conversion_word(self, index: int) -> bool:
        """Whether this token parts a quantity from the unit wanted. ``in`` may also be the inch: ``12 in in cm``."""
        following = [token.text for token in self.tokens[index + 1 : index + 3]]
        if index >= len(self.tokens) or self.tokens[index].kind != "name" or not following:
            return False
        if self.tokens[index].text == "in":
            return units.is_unit(following[0]) or following == ["in"]
        return self.tokens[index].text in ("to", "into")

    def _takes_modulo(self) -> bool:
        if self.peek().text == "%" and self._begins_operand(1):
            self.position += 1
            return True
        return False

    def _begins_operand(self, ahead: int) -> bool:
        token = self.peek(ahead)
        if token.kind == "name":
            return token.text not in ("of", "to", "in", "into", "and", "mod")
        return token.kind == "number" or token.text in ("(", "√", "∛")

    def _begins_factor(self) -> bool:
        return (self._begins_operand(0) and self.peek().kind != "number") or self._is_inch()

    def _begins_function(self) -> bool:
        return self.peek().kind == "name" and names.function_named(self.peek().text) is not None

    def _begins_unit(self) -> bool:
        if self._is_inch():
            return True
        token = self.peek()
        meant = token.text in units.ANGLES or (self.has_units and units.is_unit(token.text))
        return meant and token.kind == "name" and self.peek(1).text != "("

    def _is_inch(self) -> bool:
        return self.has_units and self.peek().text == "in" and not self._is_conversion_word(self.position)

    def _must_be_function(self, name: str) -> bool:
        known = names.is_unknown(name) or names.is_product(name) or name in names.CONSTANTS
        return not known and not units.is_unit(name)
