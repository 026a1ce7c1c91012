"""Structured logs: one line an event, with the request's id, as JSON or as text for people."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from codyverse.core.notes import REQUEST_ID, notes_or_none

SECRET = re.compile(r"passw|secret|token|authorization|cookie|e-?mail|answer|^given$|^code$", re.IGNORECASE)
"""Names under which nothing is written into the log, whatever stands there."""
_ADDRESS = re.compile(r"[^\s@<>\"'(=]+@[^\s@<>\"'()]+\.[A-Za-z]{2,}")
_TOKEN = re.compile(r"\bcody_[A-Za-z0-9_-]{16,}|(?i:\bbearer\s+\S+)")
_DETAIL = re.compile(r"^(DETAIL|CONTEXT): .*$", re.MULTILINE)
"""What PostgreSQL says besides a fault names the values of the row."""


def without_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last step before a line is written: no addresses, tokens, or rows of the database, however they got there."""
    for name, value in line.items():
        if SECRET.search(name):
            line[name] = "(hidden)"
        elif not isinstance(value, int | float | None):
            line[name] = _clean(value)
    return line


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: "(hidden)" if SECRET.search(str(name)) else _clean(each) for name, each in value.items()
        }
    if isinstance(value, list | tuple | set):
        return [_clean(each) for each in value]
    if isinstance(value, int | float | None):
        return value
    text = str(value)
    if "@" in text:
        text = _ADDRESS.sub("(address)", text)
    if "cody_" in text or "earer" in text:
        text = _TOKEN.sub("(token)", text)
    if "DETAIL: " in text or "CONTEXT: " in text:
        text = _DETAIL.sub(r"\1: (hidden)", text)
    return text


def _of_request(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What is logged while a request is answered carries its id."""
    noted = notes_or_none()
    if noted is not None and REQUEST_ID in noted:
        line.setdefault(REQUEST_ID, noted[REQUEST_ID])
    return line


class Line:
    """A line that is written at every request: to the same place and with the same names as all others, on a shorter way.

    Through structlog and logging it costs as much as the rest of a small answer. The shorter way is taken where nobody else
    listens and lines are JSON; otherwise the usual one.
    """

    def __init__(self, logger: str, event: str) -> None:
        self._logger, self._name, self._event = logging.getLogger(logger), logger, event
        self._usual = structlog.get_logger(logger)

    def write(self, given: dict[str, Any], plain: dict[str, Any]) -> None:
        """`given` holds texts that came from outside, `plain` what the site itself has named or counted."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        root = logging.getLogger()
        handler = root.handlers[0] if len(root.handlers) == 1 and not self._logger.handlers else None
        if not isinstance(handler, _JsonHandler):
            self._usual.info(self._event, **given, **plain)
            return
        line = plain | {name: _clean(value) for name, value in _of_request(None, "", given).items()}
        line |= {"event": self._event, "level": "info", "logger": self._name, "timestamp": _moment()}
        handler.line(orjson.dumps(line, default=str).decode())


class _JsonHandler(logging.StreamHandler[Any]):
    """Writes lines as they come."""

    def line(self, text: str) -> None:
        """One line, whole, also if several threads write."""
        with self.lock or nullcontext():
            self.stream.write(text + self.terminator)
            self.flush()


def _moment() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def configure_logs(level: str, style: str) -> None:
    """Send everything, the standard library's loggers included, to stderr. `style` is json or text."""
    shared: list[Any] = [
        _of_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = (_JsonHandler if style == "json" else logging.StreamHandler)(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                without_secrets,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("alembic.runtime.plugins").setLevel(
        logging.WARNING
    )  # says what it loads, whenever it is loaded
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
