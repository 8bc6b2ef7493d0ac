"""Which seeds a run of the suite takes: others every day, so that the suite explores; the kept ones always."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import msgspec

from nexustrader.chaos.plan import Outcome, Plan

KEPT = Path(__file__).parent / "seeds"
SEEDS_PER_FAULT = 20
SEEDS_A_DAY = 1_000


class KeptPlan(msgspec.Struct, forbid_unknown_fields=True):
    """A plan that once broke an invariant, and the story of it."""

    story: str
    plan: Plan


def first_seed() -> int:
    """The day's first seed; NEXUSTRADER_CHAOS_SEED repeats another day's."""
    given = os.environ.get("NEXUSTRADER_CHAOS_SEED")
    return int(given) if given else dt.datetime.now(dt.UTC).date().toordinal() * SEEDS_A_DAY


def kept_plans() -> dict[str, KeptPlan]:
    return {
        path.stem: msgspec.json.decode(path.read_bytes(), type=KeptPlan)
        for path in sorted(KEPT.glob("*.json"))
    }


def complaint(outcome: Outcome) -> str:
    """What broke, and the command that shows it again."""
    plan = msgspec.json.encode(outcome.plan).decode()
    return "\n".join([*outcome.violations[:8], f"again: nexustrader chaos --replay '{plan}'"])
