"""The house rules as functions of one source file. Each yields (line, what is wrong and what to do).

A rule about a line can be waived on that line with `# tidy: ok — reason`; rules about length cannot.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

FILE_LINES_MAX = 500
FILE_LINES_MAX_OF = {"src/nexustrader/schema.py": 900, "src/nexustrader/strategy.py": 900}  # one class each
FUNCTION_LINES_MAX = 60

WAIVER = re.compile(r"#\s*tidy: ok — \S.{4,}")

Violations = Iterator[tuple[int, str]]
Rule = Callable[["Source"], Violations]


@dataclass(frozen=True)
class Source:
    """One Python file: `path` from the project's root, with slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]

    @cached_property
    def docstrings(self) -> list[tuple[int, str]]:
        found = []
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                found += list(enumerate(node.value.value.split("\n"), node.lineno))
        return found

    @cached_property
    def imports(self) -> Mapping[str, str]:
        """What each imported name stands for: `import time as t` gives t -> time."""
        names: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    names[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return names

    def dotted(self, node: ast.expr) -> str:
        """The full name of `a.b.c`, through the imports; empty for anything else."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.imports.get(node.id, node.id), *reversed(parts)])

    def is_waived(self, line: int) -> bool:
        return bool(WAIVER.search(self.lines[line - 1]))

    def is_in(self, *folders: str) -> bool:
        return any(self.path.startswith(f"src/nexustrader/{folder}/") for folder in folders)


def violations(rule: Rule, source: Source) -> list[str]:
    """What `rule` finds and nobody waived, as `path:line: what`."""
    return [
        f"{source.path}:{line}: {what}"
        for line, what in rule(source)
        if rule in UNWAIVABLE or not source.is_waived(line)
    ]


# -- lengths and names -------------------------------------------------------------------------------------


def file_length(source: Source) -> Violations:
    limit = FILE_LINES_MAX_OF.get(source.path, FILE_LINES_MAX)
    if len(source.lines) > limit:
        yield len(source.lines), f"{len(source.lines)} lines, at most {limit}: split it along its ideas"


def function_length(source: Source) -> Violations:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield (
                    node.lineno,
                    f"{node.name} has {length} lines, at most {FUNCTION_LINES_MAX}: name its parts",
                )


def module_name(source: Source) -> Violations:
    for part in PurePosixPath(source.path).with_suffix("").parts:
        if part.strip("_") in {"util", "utils", "helper", "helpers", "common", "misc"}:
            yield 1, f"{part!r} says nothing: name the module after its one idea"


# -- what may be caught ------------------------------------------------------------------------------------


def broad_except(source: Source) -> Violations:
    advice = "name the exceptions, or say why not: # tidy: ok — <reason>"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(part is None or _is_broad(source, part) for part in caught):
                yield node.lineno, f"bare or broad except: {advice}"
        elif isinstance(node, ast.Call) and source.dotted(node.func) == "contextlib.suppress":
            yield from (
                (node.lineno, f"broad suppress: {advice}") for part in node.args if _is_broad(source, part)
            )


def _is_broad(source: Source, node: ast.expr) -> bool:
    return source.dotted(node).removeprefix("builtins.") in {"Exception", "BaseException"}


# -- what may be called ------------------------------------------------------------------------------------

CLOCKS = frozenset(
    {"time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter"}
    | {"time.perf_counter_ns", "time.localtime", "time.gmtime", "time.ctime", "datetime.date.today"}
    | {"datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"}
)
RANDOM_MODULES = frozenset({"random", "secrets", "uuid"})
RANDOM_CALLS = frozenset({"os.urandom", "os.getrandom", "numpy.random"})


def injected_time_and_chance(source: Source) -> Violations:
    if source.is_in("kernel"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            name = source.dotted(node)
            if name in CLOCKS:
                yield node.lineno, f"{name} outside kernel/: take a Clock (kernel/clock.py)"
            elif name in RANDOM_CALLS:
                yield node.lineno, f"{name} outside kernel/: take Entropy (kernel/entropy.py)"
    for line, module in _imported_modules(source):
        if module in RANDOM_MODULES:
            yield line, f"import of {module} outside kernel/: take Entropy (kernel/entropy.py)"


def _imported_modules(source: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.partition(".")[0]


def print_call(source: Source) -> Violations:
    if source.is_in("cli"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and source.dotted(node.func).removeprefix("builtins.") == "print":
            yield node.lineno, "print outside cli/: log it (kernel/log.py)"


DANGEROUS_MODULES = frozenset({"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle"})
DANGEROUS_CALLS = frozenset(
    {
        "eval",
        "exec",
        "compile",
        "builtins.eval",
        "builtins.exec",
        "yaml.load",
        "yaml.unsafe_load",
        "os.system",
    }
    | {"os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "numpy.load", "pandas.read_pickle"}
)


def dangerous_call(source: Source) -> Violations:
    for line, module in _imported_modules(source):
        if module in DANGEROUS_MODULES:
            yield line, f"import of {module}: it runs what it reads; use JSON by schema"
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        name = source.dotted(node.func)
        if name in DANGEROUS_CALLS:
            yield (
                node.lineno,
                f"{name} runs what it is given: parse data by schema, run a fixed argument list",
            )
        for keyword in node.keywords:
            if keyword.arg == "shell" and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            ):
                yield node.lineno, "shell=True: run a fixed argument list"


# -- comments ----------------------------------------------------------------------------------------------

TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore(\[[\w, -]+\])?(.*)", re.DOTALL)
NOQA = re.compile(r"#\s*noqa(:\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?(.*)", re.DOTALL | re.IGNORECASE)
REASON = re.compile(r"\s*(?:#|—|--|-)\s*\w.{4,}", re.DOTALL)


def unexplained_ignore(source: Source) -> Violations:
    for line, comment in source.comments:
        for kind, pattern in (("type: ignore", TYPE_IGNORE), ("noqa", NOQA)):
            found = pattern.search(comment)
            if found is None:
                continue
            if not found[1]:
                yield line, f"{kind} of everything: name what is ignored"
            elif not REASON.match(found[2]):
                yield line, f"{kind} without a reason: fix the code, or add '# <why>' behind it"


UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def unfinished_mark(source: Source) -> Violations:
    for line, comment in source.comments:
        if UNFINISHED.search(comment):
            yield line, "a mark of unfinished work: finish it, or write an issue and take the mark out"


NO_COVER = re.compile(r"#\s*pragma:\s*no\s*(?:cover|branch)", re.IGNORECASE)


def coverage_pragma(source: Source) -> Violations:
    for line, comment in source.comments:
        if NO_COVER.search(comment):
            yield line, "code hidden from coverage: test it, or remove it"


ISSUE_NUMBER = re.compile(r"(?<![\w&/#])#\d{1,5}\b|\b(?:GH|issue)[- ]#?\d+\b", re.IGNORECASE)
FOREIGN_WORDS = (
    "/work/",
    "../shared",
    "CONTRACT.md",
    "RELIABILITY.md",
    "RULINGS.md",
    "STYLE.md",
    "pypi.org",
    "pythonhosted.org",
    "npmjs.",
    "crates.io",
    "proxy.golang.org",
    "conda.anaconda.org",
)


def foreign_words(source: Source) -> Violations:
    yield from foreign_words_in(source.lines)
    for line, text in (*source.comments, *source.docstrings):
        if ISSUE_NUMBER.search(text):
            yield (
                line,
                "an issue number: say what the code does; a number means nothing where it is not known",
            )


def foreign_words_in(lines: list[str]) -> Violations:
    """Places and documents outside the project, in any kind of text."""
    for line, text in enumerate(lines, 1):
        for word in FOREIGN_WORDS:
            if word in text:
                yield line, f"{word!r}: the project speaks of itself alone"


UNWAIVABLE: tuple[Rule, ...] = (file_length, function_length, module_name)
RULES: tuple[Rule, ...] = (
    file_length,
    function_length,
    module_name,
    broad_except,
    injected_time_and_chance,
    print_call,
    dangerous_call,
    unexplained_ignore,
    unfinished_mark,
    coverage_pragma,
    foreign_words,
)
