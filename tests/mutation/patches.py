"""One change to one source file: what a mutant is."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import NamedTuple

PACKAGE = "src/nexustrader"


class Mutant(NamedTuple):
    """`old` occurs exactly once in the file and becomes `new`. `file` counts from the package's folder."""

    name: str
    file: str
    old: str
    new: str
    story: str = ""
    faults: tuple[str, ...] = ()  # of the chaos suite: under which it matters most, as F2 or F2+F19

    def changed(self, text: str) -> str:
        """The file's text with the change. Raises LookupError when the place cannot be found for certain."""
        found = text.count(self.old)
        if found != 1:
            raise LookupError(
                f"{self.name}: its place in {self.file} was found {found} times, not once; look where the code has "
                f"gone and write the mutant anew:\n{self.old[:500]}"
            )
        return text.replace(self.old, self.new)

    def diff(self, root: Path) -> str:
        """The change as lines, for people."""
        text = source_of(root, self.file).read_text(encoding="utf-8")
        lines = difflib.unified_diff(
            text.splitlines(), self.changed(text).splitlines(), self.file, self.file, lineterm="", n=2
        )
        return "\n".join(lines)


def source_of(root: Path, file: str) -> Path:
    return root / PACKAGE / file
