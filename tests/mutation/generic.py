"""Generic mutants: small faults of the kind that slips in, put anywhere into `domain` and `execution`.

Left out by construction, because no behaviour that anybody promised hangs on it: docstrings, annotations, protocols,
log lines, texts (reasons, messages) and what builds them, asserts, imports, `__repr__`, options of classes, schedules
of waits, and whatever gives the same syntax tree again. What a sample draws depends on the seed and the code alone.
"""

from __future__ import annotations

import ast
import itertools
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from patches import PACKAGE, Mutant

FOLDERS = ("domain", "execution")
SETTING_MIN = 3
COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
}
LOGGERS = frozenset({"_log", "get_logger"})
TYPE_MAKERS = frozenset({"TypeVar", "NewType", "cast"})
ALIASES = {"S": "Status", "K": "EventKind"}  # short names that a module gives to an enum


class Edit(NamedTuple):
    """One change: what kind of fault, and what takes the place of the bytes from `start` to `end`."""

    kind: str
    start: int
    end: int
    new: str


def sample(root: Path, count: int, seed: int) -> list[Mutant]:
    """`count` mutants, spread over the modules by their size and within each over the kinds of fault."""
    texts = {file: (root / PACKAGE / file).read_text(encoding="utf-8") for file in modules(root)}
    edits = {file: edits_of(text) for file, text in texts.items()}
    chosen = []
    for file, share in _shares({file: len(each) for file, each in edits.items()}, count).items():
        drawn = _spread(edits[file], random.Random(f"{seed} {file}"))
        made = (mutant_of(file, texts[file], edit) for edit in drawn)
        chosen += itertools.islice((mutant for mutant in made if mutant is not None), share)
    return chosen


def _shares(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """`count` divided in proportion; what rounding leaves over goes to the largest remainders."""
    exact = {name: count * size / sum(sizes.values()) for name, size in sizes.items()}
    shares = {name: int(share) for name, share in exact.items()}
    left = count - sum(shares.values())
    for name in sorted(exact, key=lambda name: shares[name] - exact[name])[:left]:
        shares[name] += 1
    return shares


def _spread(edits: list[Edit], chance: random.Random) -> Iterator[Edit]:
    """In any order, the kinds of fault taking turns."""
    by_kind: dict[str, list[Edit]] = defaultdict(list)
    for edit in edits:
        by_kind[edit.kind].append(edit)
    piles = list(by_kind.values())
    for pile in piles:
        chance.shuffle(pile)
    chance.shuffle(piles)
    while piles:
        yield from [pile.pop() for pile in piles]
        piles = [pile for pile in piles if pile]


def modules(root: Path) -> list[str]:
    return [
        path.relative_to(root / PACKAGE).as_posix()
        for folder in FOLDERS
        for path in sorted((root / PACKAGE / folder).glob("*.py"))
        if path.stat().st_size
    ]


def edits_of(text: str) -> list[Edit]:
    """Every fault that can be put into one module, in the order of its text."""
    return sorted(set(Finder(text.encode()).edits()))


def mutant_of(file: str, text: str, edit: Edit) -> Mutant | None:
    """The mutant of one edit; None when the language does not allow it or does not tell the difference."""
    source = text.encode()
    changed = (source[: edit.start] + edit.new.encode() + source[edit.end :]).decode()
    try:
        if ast.dump(ast.parse(changed)) == ast.dump(ast.parse(text)):
            return None
    except SyntaxError:
        return None
    line = source[: edit.start].count(b"\n") + 1
    was, is_now = source[edit.start : edit.end].decode(), edit.new
    name = f"{file}:{line} {edit.kind}: {_short(was)} -> {_short(is_now) or 'nothing'}"
    return Mutant(name, file, text, changed, edit.kind)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def enums() -> Mapping[str, list[str]]:
    """Members of the enums that orders are made of, by name."""
    from nexustrader import constants
    from nexustrader.domain import events, order_effects, order_state, outcome
    from nexustrader.execution import outcome as steps
    from nexustrader.execution import reconciler

    known: dict[str, list[str]] = {}
    for module in (constants, events, order_effects, order_state, outcome, steps, reconciler):
        for name, thing in vars(module).items():
            if isinstance(thing, type) and issubclass(thing, Enum) and len(thing) > 1:
                known[name] = list(thing.__members__)
    return known | {short: known[name] for short, name in ALIASES.items()}


class Finder:
    """Finds the places of one module where a fault may be put."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._starts = [0, *(found.end() for found in re.finditer(b"\n", source))]
        self._enums = enums()

    def edits(self) -> Iterator[Edit]:
        yield from self._walk(ast.parse(self._source))

    def _walk(self, node: ast.AST) -> Iterator[Edit]:
        if _is_out_of_bounds(node):
            return
        for kinds, make in _MAKERS:
            if isinstance(node, kinds):
                yield from make(self, node)
        for child in _children(node):
            yield from self._walk(child)

    # -- places ----------------------------------------------------------------------------------------------

    def _at(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def _span(self, node: ast.AST) -> tuple[int, int]:
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode()

    def _between(self, left: ast.AST, right: ast.AST, pattern: str, new: str, kind: str) -> Iterator[Edit]:
        """An operator: the first `pattern` between two operands."""
        start, end = self._span(left)[1], self._span(right)[0]
        found = re.search(pattern.encode(), self._source[start:end])
        if found is not None:
            yield Edit(kind, start + found.start(), start + found.end(), new)

    def _instead(self, node: ast.AST, new: str, kind: str) -> Iterator[Edit]:
        yield Edit(kind, *self._span(node), new)

    # -- faults ----------------------------------------------------------------------------------------------

    def comparison(self, node: ast.Compare) -> Iterator[Edit]:
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            old, new = COMPARISONS[type(operator)]
            yield from self._between(left, right, old, new, "comparison")
            left = right

    def junction(self, node: ast.BoolOp) -> Iterator[Edit]:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        if len(node.values) == 2:
            yield from self._between(*node.values, rf"\b{old}\b", new, "and/or")
        for value in node.values:  # one of several conditions is forgotten
            yield from self._instead(value, "True" if isinstance(node.op, ast.And) else "False", "condition")

    def branch(self, node: ast.If | ast.While | ast.IfExp) -> Iterator[Edit]:
        if isinstance(node, ast.If) and all(_is_log(statement) for statement in node.body):
            return
        yield from self._instead(node.test, f"not ({self._text(node.test)})", "negation")
        if isinstance(node, ast.If) and not node.orelse:
            yield from self._instead(node, "pass", "guard")

    def denial(self, node: ast.UnaryOp) -> Iterator[Edit]:
        if isinstance(node.op, ast.Not):
            yield from self._instead(node, f"bool({self._text(node.operand)})", "negation")

    def statement(self, node: ast.Expr | ast.Assign | ast.AugAssign | ast.Delete) -> Iterator[Edit]:
        """A call or an assignment is forgotten. Of a local name it could not be: the next line would not run."""
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Await):
            value = value.value
            if isinstance(value, ast.Call) and _name(value.func) == "sleep":
                return  # without its pause a loop has no end
        if isinstance(node, ast.Expr) and not isinstance(value, ast.Call):
            return
        if isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Attribute | ast.Subscript):
            return
        yield from self._instead(node, "pass", "statement")

    def answer(self, node: ast.Return) -> Iterator[Edit]:
        value = node.value
        if value is None or _is_text(value):
            return
        if isinstance(value, ast.Constant) and value.value is None:
            return
        if isinstance(value, ast.Compare | ast.BoolOp) or _is_not(value):
            yield from self._instead(value, f"not ({self._text(value)})", "return value")
        elif not isinstance(value, ast.Constant):
            yield from self._instead(value, "None", "return value")

    def constant(self, node: ast.Constant) -> Iterator[Edit]:
        if isinstance(node.value, bool):
            yield from self._instead(node, str(not node.value), "constant")
        elif isinstance(node.value, int | float):  # a larger one is a setting: one more or less means nothing
            new = node.value + 1 if abs(node.value) < SETTING_MIN else 0
            yield from self._instead(node, repr(new), "constant")

    def sum(self, node: ast.BinOp) -> Iterator[Edit]:
        if isinstance(node.op, ast.Add | ast.Sub):
            old, new = ("+", "-") if isinstance(node.op, ast.Add) else ("-", "+")
            yield from self._between(node.left, node.right, re.escape(old), new, "arithmetic")
        elif isinstance(node.op, ast.BitOr):
            yield from self._instead(node, self._text(node.left), "union")

    def extreme(self, node: ast.Call) -> Iterator[Edit]:
        other = {"min": "max", "max": "min", "any": "all", "all": "any"}.get(_name(node.func))
        if other is not None and isinstance(node.func, ast.Name):
            yield from self._instead(node.func, other, "extreme")

    def member(self, node: ast.Attribute) -> Iterator[Edit]:
        """Another member of the same enum."""
        members = self._enums.get(_name(node.value), [])
        if node.attr in members:
            other = members[(members.index(node.attr) + 1) % len(members)]
            yield from self._instead(node, f"{self._text(node.value)}.{other}", "enum member")

    def entry(self, node: ast.Dict) -> Iterator[Edit]:
        """A row of a table is forgotten."""
        if len(node.keys) < 3:
            return
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None and not _is_text(value):
                start, end = self._span(key)[0], self._span(value)[1]
                if self._source[start - 1 : start] == b"(":  # a tuple's parentheses are its own
                    continue
                comma = re.compile(rb"\s*,").match(self._source, end)
                yield Edit("table row", start, comma.end() if comma else end, "")


def _is_out_of_bounds(node: ast.AST) -> bool:
    """True for what is left out by construction, with all that is in it."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.Raise() | ast.JoinedStr():
            return True
        case ast.FunctionDef(name="__repr__" | "__str__"):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.ClassDef(bases=[ast.Name(id="Protocol"), *_]):
            return True
        case ast.Assign(targets=[ast.Name(id="unforeseen")]):  # whether a log line comes with a traceback
            return True
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Tuple(elts=[ast.Constant(), *_])):
            return name.isupper()  # a schedule of waits: one second more or less means nothing
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name.startswith("__") or _is_type(value)
        case ast.keyword(arg="reason" | "message" | "name"):
            return True
        case ast.Call(func=called):
            return _name(called) in TYPE_MAKERS
        case ast.Expr():
            return _is_log(node) or isinstance(node.value, ast.Constant)
        case _:
            return False


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """What is in a node, without annotations, options of classes and decorators."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases") or (
            name == "keywords" and isinstance(node, ast.ClassDef)
        ):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child


def _is_type(value: ast.expr) -> bool:
    """True for `Fees = tuple[tuple[str, Decimal], ...]`, `Effect = Told | FillDelta` and the like."""
    match value:
        case ast.Subscript(value=ast.Name(id=name)):
            return name in ("tuple", "Callable", "Coroutine", "dict", "list", "type")
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return all(isinstance(part, ast.Name) and part.id != part.id.upper() for part in (left, right))
        case _:
            return False


def _is_log(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name in LOGGERS
        case _:
            return False


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_not(node: ast.AST) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


_MAKERS: tuple[tuple[tuple[type, ...], Callable[..., Iterator[Edit]]], ...] = (
    ((ast.Compare,), Finder.comparison),
    ((ast.BoolOp,), Finder.junction),
    ((ast.If, ast.While, ast.IfExp), Finder.branch),
    ((ast.UnaryOp,), Finder.denial),
    ((ast.Expr, ast.Assign, ast.AugAssign, ast.Delete), Finder.statement),
    ((ast.Return,), Finder.answer),
    ((ast.Constant,), Finder.constant),
    ((ast.BinOp,), Finder.sum),
    ((ast.Call,), Finder.extreme),
    ((ast.Attribute,), Finder.member),
    ((ast.Dict,), Finder.entry),
)
