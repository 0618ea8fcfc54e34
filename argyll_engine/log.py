# SPDX-License-Identifier: Apache-2.0
"""Structured logging on the standard library: one event name and ids a line, as JSON or for people.

Entry points call `configure` once; everybody else `get(__name__)` and, once a request or task, `bind`.
Importing this module configures nothing. No values of users and no secrets belong into a line; passwords
inside URLs are removed here all the same.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, TextIO

from argyll_engine.address import redact

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


def configure(
    level: str,
    format_name: str,
    *,
    service: str = SERVICE,
    environment: str = "",
    stream: TextIO | None = None,
) -> None:
    """Sends every line of this process to `stream` (default: stderr), replacing what was set up before.

    Args:
        level: `debug`, `info`, `warn` or `error`.
        format_name: `json` or `console`.
        service: Name of the kind of process, in every JSON line.
        environment: Value of `ENV`, in every JSON line.
        stream: Where lines go.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_Console() if format_name == "console" else _Json(service, environment))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])


def _fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    fields: Mapping[str, object] = getattr(record, _FIELDS, None) or _bound.get()
    return fields


def _level_name(record: logging.LogRecord) -> str:
    return _LEVEL_NAMES.get(record.levelno, record.levelname.lower())


class _Json(logging.Formatter):
    """One JSON object a line. Source: the contract, ops §5.2 (key names)."""

    def __init__(self, service: str, environment: str) -> None:
        super().__init__()
        self._always = {"service": service, "env": environment}

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": _level_name(record),
            "msg": record.getMessage(),
            "logger": record.name,
            **self._always,
            **_fields_of(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # Redacted before encoding: quoting would hide the end of a password from the pattern.
        return json.dumps({name: _safe(value) for name, value in line.items()}, ensure_ascii=False, default=str)


class _Console(logging.Formatter):
    """One line for people: time, level, event, `name=value` pairs."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        pairs = "".join(f" {name}={_in_one_line(value)}" for name, value in _fields_of(record).items())
        line = f"{time} {_level_name(record):<5} {record.getMessage()}{pairs}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(line)


def _in_one_line(value: object) -> str:
    """The text of a value; a line break in it, which a step may have sent, does not start a line of its own."""
    return str(value).replace("\r", "\\r").replace("\n", "\\n")


def _safe(value: object) -> object:
    return redact(value) if isinstance(value, str) else value
