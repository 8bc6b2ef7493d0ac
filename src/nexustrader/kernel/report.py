"""The last resort for an exception that must not stop its caller."""

from __future__ import annotations

import traceback

from loguru import logger


def log_exception(what: str, exc: BaseException) -> None:
    """Logs `what` happened and the traceback.

    The traceback is formatted here as plain text: a log sink might print the values of variables with it.
    """
    trace = "".join(traceback.format_exception(exc))
    logger.error("{}\n{}", what, trace)
