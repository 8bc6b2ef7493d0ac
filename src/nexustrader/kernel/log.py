"""Logging on loguru: `get_logger(name)` to write, `setup_logging(config)` to say where it goes.

Secrets are taken out twice: from our records before any sink sees them (a user may add loguru sinks of his
own), and from every line at our sinks (a user, or a library, may write to loguru or `logging` without us).
Tracebacks are rendered here, without the values of variables, so loguru never sees an exception.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nexustrader._warn import warn_user
from nexustrader.error import NexusTraderWarning
from nexustrader.kernel.log_format import render_json, render_text
from nexustrader.kernel.log_sinks import FileSink, StdoutSink
from nexustrader.kernel.redaction import redact, redact_field

if TYPE_CHECKING:
    from types import TracebackType

    import loguru

    from nexustrader.kernel.ports import Clock

LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50, "OFF": 1_000}
DEFAULT_FILE_NAME = "nexustrader.log"


class LogSettings(Protocol):
    """What `setup_logging` reads; `config.LogConfig` has it."""

    @property
    def level_stdout(self) -> str: ...
    @property
    def level_file(self) -> str: ...
    @property
    def directory(self) -> str | None: ...
    @property
    def file_name(self) -> str | None: ...
    @property
    def file_format(self) -> str | None: ...
    @property
    def colors(self) -> bool: ...
    @property
    def print_config(self) -> bool: ...
    @property
    def component_levels(self) -> Mapping[str, str]: ...
    @property
    def max_file_size(self) -> int: ...
    @property
    def max_backup_count(self) -> int: ...
    @property
    def bypass(self) -> bool: ...
    @property
    def auto_flush_sec(self) -> int: ...
    @property
    def log_components_only(self) -> bool | None: ...


class Logger:
    """Writes the log lines of one component. Secrets in messages and fields are masked.

    Keyword arguments become fields of the line, except `color=` (an ANSI sequence or LogColor, used where
    colours are on) and `exc=` (an exception whose traceback is added).
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def trace(self, message: object, /, **fields: Any) -> None:
        """Log at TRACE."""
        self.log("TRACE", message, **fields)

    def debug(self, message: object, /, **fields: Any) -> None:
        """Log at DEBUG."""
        self.log("DEBUG", message, **fields)

    def info(self, message: object, /, **fields: Any) -> None:
        """Log at INFO."""
        self.log("INFO", message, **fields)

    def warning(self, message: object, /, **fields: Any) -> None:
        """Log at WARNING."""
        self.log("WARNING", message, **fields)

    def error(self, message: object, /, **fields: Any) -> None:
        """Log at ERROR."""
        self.log("ERROR", message, **fields)

    def critical(self, message: object, /, **fields: Any) -> None:
        """Log at CRITICAL."""
        self.log("CRITICAL", message, **fields)

    def exception(self, message: object, /, **fields: Any) -> None:
        """Log at ERROR with the traceback of the exception being handled."""
        self.log("ERROR", message, **{"exc": sys.exception(), **fields})

    def log(
        self, level: str, message: object, /, *, exc: object = None, color: object = None, **fields: Any
    ) -> None:
        """Log at the level of that name."""
        if LEVELS[level] < _state.floor:
            return
        text = f"{message}\n{format_exception(exc)}" if isinstance(exc, BaseException) else str(message)
        _loguru().bind(component=self._name, color=color, fields=fields).log(level, text)


def get_logger(name: str) -> Logger:
    """Return the logger of the component `name`."""
    return Logger(name)


def format_exception(error: BaseException) -> str:
    """Return the traceback of `error` with secrets masked. Values of variables are never in it."""
    return redact("".join(traceback.format_exception(error)).rstrip("\n"))


def setup_logging(config: LogSettings, clock: Clock | None = None) -> None:
    """Send log lines where `config` says, in the place of earlier set-ups; times are the clock's, in UTC.

    Lines of `logging` go the same way unless the program has put handlers there, which are scrubbed then. So are
    tracebacks of uncaught exceptions, where no other hook is. Raises OSError when the file cannot be opened.
    """
    shutdown_logging()
    _remove_default_handler()
    _bridge_stdlib()
    _install_hooks()
    _state.floor = LEVELS["OFF"]
    if config.bypass:
        return
    if config.level_stdout != "OFF":
        render = functools.partial(render_text, clock=clock, colors=config.colors)
        _add(StdoutSink(render), LEVELS[config.level_stdout], config)
    if config.level_file != "OFF":
        as_json = config.file_format == "JSON"
        sink = FileSink(
            Path(config.directory or ".") / (config.file_name or DEFAULT_FILE_NAME),
            functools.partial(render_json if as_json else render_text, clock=clock),
            bytes_max=config.max_file_size,
            backups_max=config.max_backup_count,
            flush_s=config.auto_flush_sec,
        )
        _add(sink, LEVELS[config.level_file], config)
    elif config.file_name is not None:
        warn_user(
            f"LogConfig.file_name is {config.file_name!r} but level_file is OFF, so no file is written; "
            'set level_file="INFO" to write one',
            NexusTraderWarning,
        )
    if config.print_config:
        sys.stdout.write(redact(f"{config}\n"))


def shutdown_logging() -> None:
    """Flush and close what `setup_logging` opened. May be called twice."""
    while _state.handlers:
        _loguru().remove(_state.handlers.pop())
    _state.floor = 0


class _State:
    """What `setup_logging` did, process-wide as loguru is."""

    def __init__(self) -> None:
        self.handlers: list[int] = []
        self.floor = 0  # lines below go nowhere: they must cost nothing on the hot path


_state = _State()


@functools.cache
def _loguru() -> loguru.Logger:
    from loguru import logger

    return logger.patch(_scrub)


def _scrub(record: loguru.Record) -> None:
    record["message"] = redact(record["message"])
    fields = record["extra"].get("fields")
    if fields:
        record["extra"]["fields"] = {name: redact_field(name, value) for name, value in fields.items()}


def _add(sink: StdoutSink | FileSink, level: int, config: LogSettings) -> None:
    levels = {name: LEVELS[component_level] for name, component_level in config.component_levels.items()}
    other = LEVELS["OFF"] if config.log_components_only else level

    def wanted(record: loguru.Record) -> bool:
        component = record["extra"].get("component") or record["name"] or ""
        return record["level"].no >= levels.get(component, other)

    lowest = min([other, *levels.values()])
    _state.floor = min(_state.floor, lowest)
    _state.handlers.append(
        _loguru().add(
            sink,
            level=lowest,
            filter=wanted,
            format="{message}",
            diagnose=False,
            backtrace=False,
            catch=False,
        )
    )


def _remove_default_handler() -> None:
    """Take away loguru's own stderr handler, which would print every line twice."""
    try:
        _loguru().remove(0)
    except ValueError:
        return  # it is gone already


class _StdlibBridge(logging.Handler):
    """Carries records of the standard library's logging over to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        number = min(max(record.levelno, LEVELS["TRACE"]), LEVELS["CRITICAL"])
        level = max((name for name in LEVELS if LEVELS[name] <= number), key=LEVELS.__getitem__)
        Logger(record.name).log(level, _stdlib_message(record), exc=record.exc_info and record.exc_info[1])


def _bridge_stdlib() -> None:
    """Take over the standard library's logging; handlers that the program has put there stay, and are scrubbed."""
    if not logging.root.handlers:
        logging.root.addHandler(_StdlibBridge())
    for handler in logging.root.handlers:
        if not isinstance(handler, _StdlibBridge):
            handler.addFilter(_scrub_stdlib)


def _scrub_stdlib(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact(_stdlib_message(record)), ()
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = format_exception(record.exc_info[1])  # formatters take this before exc_info
    return True


def _stdlib_message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError) as trouble:  # a library's wrong format string must not stop the program
        return f"{record.msg} (its arguments do not fit: {type(trouble).__name__})"


def _install_hooks() -> None:
    """Scrub uncaught exceptions, where nobody has put a hook of his own."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _on_uncaught
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = lambda args: _tell(args.exc_value, f"Exception in thread {args.thread}")
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = lambda args: _tell(args.exc_value, args.err_msg or "Exception ignored")


def _on_uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    _tell(error)


def _tell(error: BaseException | None, where: str | None = None) -> None:
    if error is None or isinstance(error, SystemExit):
        return
    sys.stderr.write((f"{redact(where)}:\n" if where else "") + format_exception(error) + "\n")
