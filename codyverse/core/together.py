"""What belongs to one fact: what was read of its person on the way, and what is written of it by one statement.

Domains above the one in which something happens need to know more, and have more to write. They ask by riders, columns
in the statement that keeps the fact; and they put down what they want written, as a call of a function of the database.
When all handlers have been heard, one statement makes all the calls, in the same transaction.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import TextClause, text

from codyverse.core.asking import leave, send


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the database and what it is given, by names that no other call uses: `name(:its_value)`.

    `make` turns all that was put down for it into these values; None if nothing is worth writing.
    """

    sql: str
    make: Callable[[list[Any]], Mapping[str, Any] | None]


@dataclass(slots=True)
class Together:
    """One fact with all that follows from it. `known`: what riders brought, by their names and whom it is about; `noted`:
    what handlers found out, for whoever opened this."""

    known: dict[tuple[str, int], Any] = field(default_factory=dict)
    noted: dict[tuple[str, int], Any] = field(default_factory=dict)
    calls: dict[Call, list[Any]] = field(default_factory=dict)

    def write(self) -> None:
        """Make the calls."""
        if not self.calls:
            return
        made = {call.sql: call.make(whats) for call, whats in self.calls.items()}
        self.calls.clear()
        worth = tuple(sql for sql, values in made.items() if values is not None)
        if worth:
            leave(
                _statement(worth),
                {name: value for values in made.values() for name, value in (values or {}).items()},
            )


_now: ContextVar[Together | None] = ContextVar("together", default=None)


@cache
def _statement(calls: tuple[str, ...]) -> TextClause:
    return text("select " + ", ".join(calls))


class together:  # noqa: N801 - reads as what it does
    """Everything in this block is one fact with what follows from it; within another one it is part of that."""

    __slots__ = ("_fact", "_token")

    def __enter__(self) -> Together:
        self._token: Token[Together | None] | None = None
        fact = _now.get()
        if fact is None:
            fact = self._fact = Together()
            self._token = _now.set(fact)
        return fact

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._token is None:
            return
        try:
            if kind is None:
                self._fact.write()
        finally:
            _now.reset(self._token)


def put_down(call: Call, what: Any) -> None:
    """Have this written when the fact has been heard by all; outside of any, at once."""
    with together() as fact:
        fact.calls.setdefault(call, []).append(what)


def known(name: str, user_id: int, otherwise: Callable[[], Any]) -> Any:
    """What the rider of this name brought about this person with the fact; `otherwise()` if it did not ride along."""
    fact = _now.get()
    if fact is not None and (name, user_id) in fact.known:
        return fact.known[name, user_id]
    return otherwise()


# --- riders ---


@dataclass(frozen=True, slots=True)
class Rider:
    """A column, worked out after the fact was written: SQL over what the fact's statement is given, such as `:user_id`,
    `:lesson_id`, `:attempt_id`, `:local_date`, over its row, `kept`, and over what `values` gives beside that. Of a column that
    is a JSON object, `parts` are known under their own names too.
    """

    name: str
    column: str
    values: Callable[[], Mapping[str, Any]] | None = None
    parts: tuple[str, ...] = ()


_RIDERS: dict[str, dict[str, Rider]] = {}


def ride_along(kind: str, rider: Rider) -> None:
    """Bring this along with each fact of this kind ("lesson", "study"). Again is harmless. Before the first request."""
    _RIDERS.setdefault(kind, {})[rider.name] = rider


@dataclass(frozen=True, slots=True)
class _Keeping:
    """A statement that keeps a fact, what rides along, and what riders give to it."""

    statement: TextClause
    riders: tuple[Rider, ...]
    values: tuple[Callable[[], Mapping[str, Any]], ...]


@cache
def _keeping(kind: str, source: str) -> _Keeping:
    riders = tuple(_RIDERS.get(kind, {}).values())
    columns = "".join(f", {rider.column}" for rider in riders)
    return _Keeping(
        text(f"select kept.*{columns} from {source} as kept"),  # noqa: S608 - our own texts
        riders,
        tuple(rider.values for rider in riders if rider.values is not None),
    )


def keep(kind: str, source: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    """Call the function `source`, which writes a fact of this kind, and take in what rides along; its row without that, or None
    if it wrote nothing."""
    how = _keeping(kind, source)
    for more in how.values:
        values |= more()
    rows = send(how.statement, values)
    if not rows:
        return None
    [row] = rows
    size, whose = len(row) - len(how.riders), values["user_id"]
    with together() as fact:
        for rider, brought in zip(how.riders, row[size:], strict=True):
            fact.known[rider.name, whose] = brought
            for part in rider.parts:
                fact.known[part, whose] = brought[part]
    return tuple(row[:size])
