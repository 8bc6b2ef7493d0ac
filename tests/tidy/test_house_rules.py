"""The package keeps the house rules, and each rule catches what it is for."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import house_rules
import pytest
from house_rules import FILE_LINES_MAX, FUNCTION_LINES_MAX, RULES, Rule, Source, foreign_words_in, violations

ROOT = Path(__file__).parents[2]
SOURCES = [
    Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "src").rglob("*.py"))
]


def name_of(rule: Rule) -> str:
    return rule.__name__


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_package_keeps_the_rule(rule: Rule) -> None:
    found = [violation for source in SOURCES for violation in violations(rule, source)]
    assert not found, "\n" + "\n".join(found)


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 50


def test_no_two_test_modules_have_the_same_name() -> None:
    """pytest imports them by their names alone, and refuses the second one it meets: sometimes."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []


TEXTS = (
    "*.md",
    "Makefile",
    "*.toml",
    "docs/**/*.md",
    "examples/*.py",
    "bench/*.py",
    "tests/**/*.py",
    ".github/**/*.yml",
)
TEXTS_EXEMPT = "tests/tidy/"  # names what it forbids


def test_other_texts_name_nothing_outside_the_project() -> None:
    found = []
    for path in sorted({path for pattern in TEXTS for path in ROOT.glob(pattern)}):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(TEXTS_EXEMPT):
            lines = path.read_text(encoding="utf-8").splitlines()
            found += [f"{name}:{line}: {what}" for line, what in foreign_words_in(lines)]
    assert not found, "\n" + "\n".join(found)


REFERENCE = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)|`((?:tests|src|docs|bench|examples)/[\w./-]+)`")


def test_documents_name_only_files_that_exist() -> None:
    missing = []
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for found in REFERENCE.finditer(document.read_text(encoding="utf-8")):
            target = document.parent / found[1] if found[1] else ROOT / found[2]
            if not target.exists():
                missing.append(f"{document.relative_to(ROOT)}: {found[1] or found[2]}")
    assert not missing, "\n" + "\n".join(missing)


# -- the rules themselves ----------------------------------------------------------------------------------

LONG_BODY = "    pass\n"

BAD: list[tuple[Rule, str]] = [
    (house_rules.file_length, "x = 1\n" * (FILE_LINES_MAX + 1)),
    (house_rules.function_length, "def f():\n" + LONG_BODY * FUNCTION_LINES_MAX),
    (
        house_rules.function_length,
        "class A:\n    async def f(self):\n" + "        pass\n" * FUNCTION_LINES_MAX,
    ),
    (house_rules.broad_except, "try:\n    f()\nexcept:\n    pass\n"),
    (house_rules.broad_except, "try:\n    f()\nexcept Exception as exc:\n    pass\n"),
    (house_rules.broad_except, "try:\n    f()\nexcept (ValueError, BaseException):\n    raise\n"),
    (house_rules.broad_except, "import builtins\ntry:\n    f()\nexcept builtins.Exception:\n    pass\n"),
    (house_rules.broad_except, "from contextlib import suppress\nwith suppress(Exception):\n    f()\n"),
    (house_rules.broad_except, "try:\n    f()\nexcept Exception:  # tidy: ok\n    pass\n"),
    (house_rules.broad_except, "try:\n    f()\nexcept Exception:  # tidy: ok — \n    pass\n"),
    (house_rules.injected_time_and_chance, "import time\nnow = time.time()\n"),
    (house_rules.injected_time_and_chance, "import time as t\nnow = t.time_ns()\n"),
    (house_rules.injected_time_and_chance, "from time import perf_counter as tick\nnow = tick()\n"),
    (house_rules.injected_time_and_chance, "import time\nclock = time.monotonic\n"),
    (house_rules.injected_time_and_chance, "from datetime import datetime\nnow = datetime.now()\n"),
    (house_rules.injected_time_and_chance, "import datetime as dt\nnow = dt.datetime.utcnow()\n"),
    (house_rules.injected_time_and_chance, "from datetime import date\nday = date.today()\n"),
    (house_rules.injected_time_and_chance, "import random\n"),
    (house_rules.injected_time_and_chance, "from uuid import uuid4\n"),
    (house_rules.injected_time_and_chance, "def f():\n    import secrets\n"),
    (house_rules.injected_time_and_chance, "import os\nseed = os.urandom(8)\n"),
    (house_rules.injected_time_and_chance, "import numpy as np\nx = np.random\n"),
    (house_rules.print_call, "print('x')\n"),
    (house_rules.dangerous_call, "import pickle\n"),
    (house_rules.dangerous_call, "from pickle import loads\n"),
    (house_rules.dangerous_call, "eval('1')\n"),
    (house_rules.dangerous_call, "exec('x = 1')\n"),
    (house_rules.dangerous_call, "import yaml\nyaml.load(text)\n"),
    (house_rules.dangerous_call, "import subprocess\nsubprocess.run('ls', shell=True)\n"),
    (house_rules.dangerous_call, "import subprocess\nsubprocess.run('ls', shell=flag)\n"),
    (house_rules.dangerous_call, "import os\nos.system('ls')\n"),
    (house_rules.unexplained_ignore, "x = f()  # type: ignore\n"),
    (house_rules.unexplained_ignore, "x = f()  # type: ignore[arg-type]\n"),
    (house_rules.unexplained_ignore, "x = f()  # noqa\n"),
    (house_rules.unexplained_ignore, "x = f()  # noqa: S101, S102\n"),
    (house_rules.unexplained_ignore, "x = f()  # type: ignore[arg-type]  # why\n"),
    (house_rules.unfinished_mark, "x = 1  # TODO: the rest\n"),
    (house_rules.unfinished_mark, "# FIXME\n"),
    (house_rules.coverage_pragma, "x = 1  # pragma: no cover\n"),
    (house_rules.foreign_words, "# fixed in #12\n"),
    (house_rules.foreign_words, '"""Since issue 7 this is so."""\n'),
    (house_rules.foreign_words, "x = 1  # see GH-123\n"),
    (house_rules.foreign_words, "path = '/work/main'\n"),
    (house_rules.foreign_words, "# from ../shared/wire\n"),
    (house_rules.foreign_words, "url = 'https://pypi.org/project/x'\n"),
]

GOOD: list[tuple[Rule, str]] = [
    (house_rules.file_length, "x = 1\n" * FILE_LINES_MAX),
    (house_rules.function_length, "def f():\n" + LONG_BODY * (FUNCTION_LINES_MAX - 1)),
    (house_rules.broad_except, "try:\n    f()\nexcept (ValueError, OSError):\n    pass\n"),
    (
        house_rules.broad_except,
        "try:\n    f()\nexcept Exception:  # tidy: ok — user code; it is reported\n    g()\n",
    ),
    (house_rules.broad_except, "from contextlib import suppress\nwith suppress(OSError):\n    f()\n"),
    (house_rules.injected_time_and_chance, "from datetime import datetime\nx = datetime.fromtimestamp(0)\n"),
    (house_rules.injected_time_and_chance, "def f(time):\n    return time.clock()\n"),
    (house_rules.injected_time_and_chance, "x = self.random()\n"),
    (house_rules.injected_time_and_chance, "import os\nx = os.path.join('a', 'b')\n"),
    (house_rules.print_call, "self.print('x')\n"),
    (house_rules.dangerous_call, "import subprocess\nsubprocess.run(['ls'], shell=False)\n"),
    (house_rules.dangerous_call, "import re\nre.compile('x')\n"),
    (house_rules.dangerous_call, "frame.eval('x')\n"),
    (house_rules.unexplained_ignore, "x = f()  # type: ignore[arg-type]  # the stub lacks it\n"),
    (house_rules.unexplained_ignore, "x = f()  # noqa: A002 — the public name\n"),
    (house_rules.unexplained_ignore, "x = '# type: ignore'\n"),
    (house_rules.unfinished_mark, "x = 'TODO'  # what the venue writes\n"),
    (house_rules.coverage_pragma, "x = 1  # no cover for the short leg\n"),
    (house_rules.foreign_words, "colour = '#123456'  # a heading &#35; and a #tag\n"),
    (house_rules.foreign_words, "url = 'https://api.binance.com'  # I5, F2 and S14 are names\n"),
]


@pytest.mark.parametrize(("rule", "text"), BAD, ids=lambda value: getattr(value, "__name__", None))
def test_rule_catches(rule: Rule, text: str) -> None:
    assert violations(rule, Source("src/nexustrader/sim/x.py", text))


@pytest.mark.parametrize(("rule", "text"), GOOD, ids=lambda value: getattr(value, "__name__", None))
def test_rule_lets_pass(rule: Rule, text: str) -> None:
    assert violations(rule, Source("src/nexustrader/sim/x.py", text)) == []


@pytest.mark.parametrize("name", ["utils.py", "helpers/x.py", "_common.py", "misc/__init__.py"])
def test_empty_module_name_is_caught(name: str) -> None:
    assert violations(house_rules.module_name, Source(f"src/nexustrader/{name}", ""))
    assert not violations(house_rules.module_name, Source("src/nexustrader/kernel/clock.py", ""))


def test_only_the_kernel_reads_the_clock_and_only_the_command_line_prints() -> None:
    clock, prints = "import time\ntime.time()\n", "print(1)\n"
    assert not violations(
        house_rules.injected_time_and_chance, Source("src/nexustrader/kernel/clock.py", clock)
    )
    assert not violations(house_rules.print_call, Source("src/nexustrader/cli/demo.py", prints))
    assert violations(house_rules.print_call, Source("src/nexustrader/kernel/x.py", prints))


def test_long_file_is_allowed_where_it_is_agreed() -> None:
    text = "x = 1\n" * 900
    assert not violations(house_rules.file_length, Source("src/nexustrader/schema.py", text))
    assert violations(house_rules.file_length, Source("src/nexustrader/schema.py", text + "x = 1\n"))


def test_waiver_does_not_shorten_a_function() -> None:
    text = "def f():  # tidy: ok — it is long\n" + LONG_BODY * FUNCTION_LINES_MAX
    assert violations(house_rules.function_length, Source("src/nexustrader/sim/x.py", text))


def test_every_rule_has_its_test() -> None:
    assert {rule for rule, _ in BAD} | {house_rules.module_name} == set(RULES)
    assert {rule for rule, _ in GOOD} | {house_rules.module_name} == set(RULES)
