"""What a parent hands to an emulator's process: key, secret and control token, through its environment alone.

Arguments can be read by every user of the machine, the environment only by the same user.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from nexustrader.kernel.entropy import Entropy

API_KEY_VARIABLE = "NEXUS_EMULATOR_API_KEY"
SECRET_VARIABLE = "NEXUS_EMULATOR_SECRET"  # noqa: S105 — the variable's name, not a secret
TOKEN_VARIABLE = "NEXUS_EMULATOR_TOKEN"  # noqa: S105 — the variable's name, not a token
KEY_BYTES = 32
TOKEN_BYTES = 16


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets of one start. A part that is None is made up by the emulator."""

    api_key: str | None = None
    secret: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return "Handover(***)"

    @classmethod
    def throw_away(cls, entropy: Entropy) -> Handover:
        """New secrets for one start. `entropy` must be unseeded for them to be secret."""
        key, secret, token = (entropy.token_hex(size) for size in (KEY_BYTES, KEY_BYTES, TOKEN_BYTES))
        return cls(api_key=key, secret=secret, token=token)

    @classmethod
    def take_from_environment(cls) -> Handover:
        """What the parent passed; it is then gone from the environment."""
        return cls(
            api_key=os.environ.pop(API_KEY_VARIABLE, None),
            secret=os.environ.pop(SECRET_VARIABLE, None),
            token=os.environ.pop(TOKEN_VARIABLE, None),
        )

    def environment(self) -> Mapping[str, str]:
        """The variables that pass it on."""
        values = {API_KEY_VARIABLE: self.api_key, SECRET_VARIABLE: self.secret, TOKEN_VARIABLE: self.token}
        return {name: value for name, value in values.items() if value is not None}
