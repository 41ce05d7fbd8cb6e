"""Moodle's gradebook calculations: ``=[[quiz1]]*0.5+[[quiz2]]`` over grade items that have an ID number.

The language is the one of Moodle's calculation page (reference MOODLE.md §7A, recording ``calc_if_formula``):
numbers, ``+ - * / ^ %``, comparisons, parentheses and a handful of functions, with ``,`` between arguments
(English UI). Item references are resolved by the caller to grade item ids; values arrive as plain numbers.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<item>\[\[(?P<id>[^\[\]]+)\]\])"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<op><=|>=|==|<>|[-+*/^%<>=(),]))"
)


class InvalidFormulaError(ValueError):
    """The text is not a formula Moodle would save; the message is what its page says."""


class CalculationError(ValueError):
    """A valid formula has no value for this learner (division by zero, logarithm of zero ...)."""


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Reference:
    id_number: str


@dataclass(frozen=True)
class Call:
    function: str
    arguments: "tuple[Node, ...]"


Node = Number | Reference | Call


def _truth(condition: bool) -> float:
    return 1.0 if condition else 0.0


def _round(values: Sequence[float]) -> float:
    digits = int(values[1]) if len(values) > 1 else 0
    scale = 10.0**digits
    # PHP rounds halves away from zero, Python to even.
    return math.copysign(math.floor(abs(values[0]) * scale + 0.5), values[0]) / scale


# name: (fewest arguments, most arguments, function)
_FUNCTIONS: dict[str, tuple[int, int, Callable[[Sequence[float]], float]]] = {
    "+": (2, 2, lambda v: v[0] + v[1]),
    "-": (2, 2, lambda v: v[0] - v[1]),
    "*": (2, 2, lambda v: v[0] * v[1]),
    "/": (2, 2, lambda v: v[0] / v[1]),
    "%": (2, 2, lambda v: math.fmod(v[0], v[1])),
    "^": (2, 2, lambda v: math.pow(v[0], v[1])),
    "negate": (1, 1, lambda v: -v[0]),
    ">": (2, 2, lambda v: _truth(v[0] > v[1])),
    "<": (2, 2, lambda v: _truth(v[0] < v[1])),
    ">=": (2, 2, lambda v: _truth(v[0] >= v[1])),
    "<=": (2, 2, lambda v: _truth(v[0] <= v[1])),
    "==": (2, 2, lambda v: _truth(v[0] == v[1])),
    "if": (3, 3, lambda v: v[1] if v[0] else v[2]),
    "ifthenelse": (3, 3, lambda v: v[1] if v[0] else v[2]),
    "and": (1, 99, lambda v: _truth(all(v))),
    "or": (1, 99, lambda v: _truth(any(v))),
    "sum": (1, 99, lambda v: sum(v)),
    "average": (1, 99, lambda v: sum(v) / len(v)),
    "min": (1, 99, lambda v: min(v)),
    "max": (1, 99, lambda v: max(v)),
    "mod": (2, 2, lambda v: math.fmod(v[0], v[1])),
    "power": (2, 2, lambda v: math.pow(v[0], v[1])),
    "round": (1, 2, _round),
    "sqrt": (1, 1, lambda v: math.sqrt(v[0])),
    "abs": (1, 1, lambda v: abs(v[0])),
    "ln": (1, 1, lambda v: math.log(v[0])),
    "log": (1, 1, lambda v: math.log10(v[0])),
    "exp": (1, 1, lambda v: math.exp(v[0])),
    "floor": (1, 1, lambda v: float(math.floor(v[0]))),
    "ceil": (1, 1, lambda v: float(math.ceil(v[0]))),
    "pi": (0, 0, lambda v: math.pi),
}
_NAMES = frozenset(name for name in _FUNCTIONS if name.isalpha() and name != "negate")


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise InvalidFormulaError("Invalid formula")
            kind = match.lastgroup or ""
            if match["item"]:
                self._tokens.append(("item", match["id"].strip()))
            else:
                self._tokens.append((kind, match[kind]))
            position = match.end()
        self._next = 0

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def _take(self, *operators: str) -> str | None:
        kind, text = self._peek()
        if kind == "op" and text in operators:
            self._next += 1
            return text
        return None

    def _expect(self, operator: str) -> None:
        if self._take(operator) is None:
            raise InvalidFormulaError("Invalid formula")

    def whole(self) -> Node:
        node = self._comparison()
        if self._peek()[0] != "end":
            raise InvalidFormulaError("Invalid formula")
        return node

    def _binary(self, part: Callable[[], Node], *operators: str) -> Node:
        node = part()
        while (operator := self._take(*operators)) is not None:
            node = Call(operator, (node, part()))
        return node

    def _comparison(self) -> Node:
        return self._binary(self._sum, ">=", "<=", "==", ">", "<")

    def _sum(self) -> Node:
        return self._binary(self._product, "+", "-")

    def _product(self) -> Node:
        return self._binary(self._signed, "*", "/", "%")

    def _signed(self) -> Node:
        if self._take("-"):
            return Call("negate", (self._signed(),))
        if self._take("+"):
            return self._signed()
        base = self._atom()
        if self._take("^"):
            return Call("^", (base, self._signed()))
        return base

    def _atom(self) -> Node:
        kind, text = self._peek()
        self._next += 1
        if kind == "number":
            return Number(float(text))
        if kind == "item":
            return Reference(text)
        if kind == "op" and text == "(":
            node = self._comparison()
            self._expect(")")
            return node
        if kind == "name" and text.lower() in _NAMES:
            return self._call(text.lower())
        raise InvalidFormulaError("Invalid formula")

    def _call(self, function: str) -> Node:
        self._expect("(")
        arguments: list[Node] = []
        if not self._take(")"):
            arguments.append(self._comparison())
            while self._take(","):
                arguments.append(self._comparison())
            self._expect(")")
        fewest, most, _ = _FUNCTIONS[function]
        if not fewest <= len(arguments) <= most:
            raise InvalidFormulaError("Invalid formula")
        return Call(function, tuple(arguments))


def parse(text: str) -> Node:
    """Read a formula that starts with ``=``; raises `InvalidFormulaError` with the words of Moodle's page."""
    text = text.strip()
    if not text.startswith("="):
        raise InvalidFormulaError("Formula must start with equal sign (=1+2)")
    return _Parser(text[1:]).whole()


def references(node: Node) -> frozenset[str]:
    """The ID numbers a formula names."""
    match node:
        case Reference(id_number):
            return frozenset({id_number})
        case Call(_, arguments):
            return frozenset().union(*(references(argument) for argument in arguments))
        case _:
            return frozenset()


def evaluate(node: Node, values: Mapping[str, float]) -> float:
    """The formula's value; `values` by ID number. Raises `CalculationError` when there is none."""
    match node:
        case Number(value):
            return value
        case Reference(id_number):
            return values[id_number]
        case Call(function, arguments):
            numbers = [evaluate(argument, values) for argument in arguments]
            try:
                result = _FUNCTIONS[function][2](numbers)
            except (ArithmeticError, ValueError) as error:
                raise CalculationError(str(error)) from error
            return result
