"""Secret text: the plain string for who uses it, masked for who prints it.

`str(secret)`, `secret == "x"`, `secret.encode()` and f-strings give the value, because users build requests
with it. `repr` is masked, and so is everything built of reprs: containers, dataclasses, f"{x=}", assertion
messages. A deep copy is the mask (so `dataclasses.asdict` is masked) and pickling is refused. Every secret
registers its value with `kernel.redaction`, which takes it out of logs and tracebacks.
"""

from __future__ import annotations

from typing import NoReturn, Self

from nexustrader.kernel import redaction
from nexustrader.kernel.redaction import MASK

SCHEMES = ("env", "file", "keyring", "cmd")
"""Schemes of references: values that say where the secret is."""

LITERAL = "literal:"
"""Escapes a secret that happens to begin like a reference."""


class Secret(str):
    """A secret value. Behaves as the plain string; its repr is masked; pickling raises TypeError."""

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        redaction.register(value)
        return super().__new__(cls, value)

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> str:
        return MASK

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a secret cannot be pickled: it would leave this process; pass settings_key (or the name of a "
            "variable) and build BasicConfig where it is used"
        )


class Reference(str):
    """Where a secret is: `env:VAR`, `file:PATH`, `keyring:SERVICE/NAME` or `cmd:PROGRAM ...`."""

    __slots__ = ()

    @property
    def scheme(self) -> str:
        return self.partition(":")[0]

    @property
    def target(self) -> str:
        return self.partition(":")[2]

    @property
    def shown(self) -> str:
        """The reference as it may be told: of a command only the program, its arguments may be private."""
        if self.scheme != "cmd":
            return str(self)
        program = self.target.split(maxsplit=1)
        return f"cmd:{program[0] if program else ''}"

    def __repr__(self) -> str:
        return repr(self.shown)


def classify(text: str) -> Secret | Reference:
    """Tell a secret from a reference to one. `literal:` is taken off; what is classified stays as it is."""
    if isinstance(text, (Secret, Reference)):
        return text
    if text.startswith(LITERAL):
        return Secret(text.removeprefix(LITERAL))
    scheme, colon, _ = text.partition(":")
    return Reference(text) if colon and scheme in SCHEMES else Secret(text)
