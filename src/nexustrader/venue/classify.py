"""From a venue's answer to a conclusion, by the venue's own table."""

from __future__ import annotations

from nexustrader.domain.outcome import Conclusion
from nexustrader.venue.spec import ErrorRule, Reply, VenueSpec

_UNLISTED = ErrorRule(Conclusion.UNKNOWN, "a code that the venue's table does not list")


def rule_of(spec: VenueSpec, reply: Reply) -> ErrorRule:
    """The rule for a reply that is not ok. Unlisted codes conclude UNKNOWN: never guess that nothing happened."""
    if reply.code is None:
        return _UNLISTED
    return spec.errors.get(reply.code, _UNLISTED)


def conclude(spec: VenueSpec, reply: Reply) -> Conclusion:
    """What may be concluded from one answer."""
    if reply.ok:
        return Conclusion.ACCEPTED
    return rule_of(spec, reply).conclusion


def reason_of(reply: Reply) -> str:
    """The text shown to the user: the venue's code and its own words, bounded."""
    words = reply.message[:300]
    return f"{reply.code}: {words}" if reply.code is not None else words or f"HTTP {reply.status}"
