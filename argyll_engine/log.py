# SPDX-License-Identifier: Apache-2.0
"""Structured logging on the standard library: one event name and ids a line, as JSON or for people.

Entry points call `configure` once; everybody else `get(__name__)`, and `bind` where several lines are about one thing.
The ids of the request or task that a line was written in are asked for when it is written, so that those without
lines cost nothing. Importing this module configures nothing. No values of users and no secrets belong into a line;
`redaction.py` removes what it can tell all the same.
"""

import importlib.metadata
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Final, TextIO, TypeAlias

from argyll_engine.redaction import Redactor

SERVICE: Final = "argyll-engine"

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_LEVEL_NAMES: Final = {number: name for name, number in _LEVELS.items()}
_FIELDS: Final = "argyll_fields"
_NO_IDS: Final[Mapping[str, object]] = MappingProxyType({})
_bound: ContextVar[Mapping[str, object]] = ContextVar("argyll_bound_ids", default=_NO_IDS)


class Log:
    """A logger that takes an event name and fields: `log.info("work_succeeded", flow_id=..., token=...)`."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, **fields: object) -> None:
        """Detail for someone who looks for a fault."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Something that is meant to happen."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something that is handled, and that an operator may want to know."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Something that needs an operator."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """An error with the traceback of the exception being handled."""
        self._write(logging.ERROR, event, fields, traceback=True)

    def _write(self, level: int, event: str, fields: dict[str, object], traceback: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, exc_info=traceback, extra={_FIELDS: {**_bound.get(), **fields}})


def get(name: str) -> Log:
    """The log of a module; pass `__name__`."""
    return Log(logging.getLogger(name))


@contextmanager
def bind(**ids: object) -> Iterator[None]:
    """A context in which every line of ours carries these ids."""
    token = _bound.set({**_bound.get(), **ids})
    try:
        yield
    finally:
        _bound.reset(token)


Context: TypeAlias = Callable[[logging.LogRecord], Mapping[str, object]]
"""Says for a line which ids the request or task has in which it was written."""


def no_context(_record: logging.LogRecord) -> Mapping[str, object]:
    """No ids: what a line is about is said by its own fields."""
    return _NO_IDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the lines of a process look.

    Args:
        level: `debug`, `info`, `warn` or `error`.
        format_name: `json` or `console`.
        service: Name of the kind of process, in every JSON line.
        environment: Value of `ENV`, in every JSON line.
        secrets: Texts that no line may hold.
        redacted: Names of attributes whose values no line may hold.
        context: The ids of the request or task that a line was written in; the line's own fields win.
    """

    level: str
    format_name: str
    service: str = SERVICE
    environment: str = ""
    secrets: tuple[str, ...] = ()
    redacted: tuple[str, ...] = ()
    context: Context = no_context


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Sends every line of this process to `stream` (default: stderr), replacing what was set up before."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_Console(settings) if settings.format_name == "console" else _Json(settings))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[settings.level])


def catch_crashes() -> None:
    """Makes log lines of warnings and of exceptions that nobody has caught. For entry points of processes."""
    logging.captureWarnings(True)
    sys.excepthook = _log_crash
    threading.excepthook = _log_thread_crash


def _log_crash(kind: type[BaseException], exc: BaseException, place: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, exc, place)
        return
    logging.getLogger(__name__).critical("process_crashed", exc_info=(kind, exc, place))


def _log_thread_crash(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None and not issubclass(crash.exc_type, SystemExit):
        exc_info = (crash.exc_type, crash.exc_value, crash.exc_traceback)
        logging.getLogger(__name__).critical("thread_crashed", exc_info=exc_info)


def fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    """The ids and fields that a line was given, or those bound around it."""
    fields: Mapping[str, object] = getattr(record, _FIELDS, None) or _bound.get()
    return fields


def _level_name(record: logging.LogRecord) -> str:
    return _LEVEL_NAMES.get(record.levelno, record.levelname.lower())


class _Formatter(logging.Formatter):
    """What both forms have in common: ids from the context, and no secrets."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._context = settings.context
        self._redactor = Redactor(settings.secrets, settings.redacted)

    def _fields(self, record: logging.LogRecord) -> dict[str, object]:
        fields = {**self._context(record), **fields_of(record)}
        return {name: self._redactor.field(name, value) for name, value in fields.items()}

    def _traceback(self, record: logging.LogRecord) -> str:
        """Empty where the line is about no exception."""
        return self._redactor.text(self.formatException(record.exc_info)) if record.exc_info else ""


class _Json(_Formatter):
    """One JSON object a line. Source: the contract, ops §5.2 (key names)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        version = importlib.metadata.version("argyll")
        self._always = {"service": settings.service, "env": settings.environment, "version": version}

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": _level_name(record),
            "msg": self._redactor.text(record.getMessage()),
            "logger": record.name,
            **self._always,
            **self._fields(record),
        }
        if traceback := self._traceback(record):
            line["traceback"] = traceback
        # Redacted before encoding: quoting would hide the end of a password from the pattern.
        return json.dumps(line, ensure_ascii=False, default=str)


class _Console(_Formatter):
    """One line for people: time, level, event, `name=value` pairs."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        pairs = "".join(f" {name}={_in_one_line(value)}" for name, value in self._fields(record).items())
        line = f"{time} {_level_name(record):<5} {self._redactor.text(record.getMessage())}{pairs}"
        traceback = self._traceback(record)
        return f"{line}\n{traceback}" if traceback else line


def _in_one_line(value: object) -> str:
    """The text of a value; a line break in it, which a step may have sent, does not start a line of its own."""
    return str(value).replace("\r", "\\r").replace("\n", "\\n")
