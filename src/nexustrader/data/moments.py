"""Times as users write them."""

from __future__ import annotations

from datetime import UTC, datetime

from nexustrader.error import DataError

Moment = datetime | int | str | None


def to_ms(moment: Moment) -> int | None:
    """Milliseconds of a time: a number of them, a datetime or ISO text (without a zone: UTC).

    Raises DataError for text that is no time.
    """
    if moment is None or isinstance(moment, int):
        return moment
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            raise DataError(
                f"{moment!r} is no time; write ISO, such as 2024-01-31 or 2024-01-31T12:00"
            ) from None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)
