"""Exceptions that came from outside, as they are kept and raised again."""

from __future__ import annotations

import builtins

from nexustrader import error as errors
from nexustrader._session.records import Failure
from nexustrader.error import NexusTraderError
from nexustrader.kernel.redaction import redact


def failure_of(error: BaseException) -> Failure:
    """What can be kept of an exception."""
    plain = {
        name: value
        for name, value in vars(error).items()
        if name != "message" and isinstance(value, str | int | float | None)
    }
    return Failure(type(error).__name__, redact(str(error)), plain)


def error_of(failure: Failure) -> Exception:
    """The exception again: one of ours, one of Python's, or else a NexusTraderError that names its class."""
    found = getattr(errors, failure.kind, None) or getattr(builtins, failure.kind, None)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        return NexusTraderError(f"{failure.kind}: {failure.message}")
    error: Exception = found.__new__(found, failure.message)
    if isinstance(error, NexusTraderError):
        NexusTraderError.__init__(error, failure.message)  # past constructors that take other arguments
    for name, value in failure.attributes.items():
        setattr(error, name, value)
    return error
