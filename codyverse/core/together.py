"""What belongs to one fact: what was read of its person on the way, and what is written of it by one statement.

Domains above the one in which something happens need to know more, and have more to write. They ask by riders, columns
in the statement that keeps the fact; and they put down what they want written, as a call of a function of the database.
When all handlers have been heard, one statement makes all the calls, in the same transaction.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson
from sqlalchemy import TextClause, text

from codyverse.core.database import session

_KEY = "codyverse_together"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the database that is given one JSON value: `sql` names it, with :told for the value.

    `make` turns all that was put down for it into that value; what it makes of nothing worth writing is None.
    """

    sql: str
    make: Callable[[list[Any]], Any]


@dataclass(slots=True)
class Together:
    """One fact with all that follows from it. `known`: what riders brought, by their names and whom it is about."""

    known: dict[tuple[str, int], Any] = field(default_factory=dict)
    calls: dict[Call, list[Any]] = field(default_factory=dict)

    def write(self) -> None:
        """Make the calls."""
        if not self.calls:
            return
        told = {
            call.sql: made for call, whats in self.calls.items() if (made := call.make(whats)) is not None
        }
        self.calls.clear()
        if told:
            values = {f"told{place}": orjson.dumps(made).decode() for place, made in enumerate(told.values())}
            session.connection().execute(_statement(tuple(told)), values)


@cache
def _statement(calls: tuple[str, ...]) -> TextClause:
    return text("select " + ", ".join(sql.replace(":told", _value(place)) for place, sql in enumerate(calls)))


def _value(place: int) -> str:
    return f"cast(:told{place} as jsonb)"


@contextmanager
def together() -> Iterator[Together]:
    """Everything in this block is one fact with what follows from it; within another one it is part of that."""
    info = session.info
    outer = info.get(_KEY)
    if outer is not None:
        yield outer
        return
    mine = info[_KEY] = Together()
    try:
        yield mine
        mine.write()
    finally:
        info.pop(_KEY, None)


def put_down(call: Call, what: Any) -> None:
    """Have this written when the fact has been heard by all; outside of any, at once."""
    with together() as fact:
        fact.calls.setdefault(call, []).append(what)


def known(name: str, user_id: int, otherwise: Callable[[], Any]) -> Any:
    """What the rider of this name brought about this person with the fact; `otherwise()` if it did not ride along."""
    fact = session.info.get(_KEY)
    if fact is not None and (name, user_id) in fact.known:
        return fact.known[name, user_id]
    return otherwise()


# --- riders ---


@dataclass(frozen=True, slots=True)
class Rider:
    """A column, worked out after the fact was written: SQL over `:user_id`, `:lesson_id`, `:attempt_id`, `:local_date`."""

    name: str
    column: str


_RIDERS: dict[str, dict[str, Rider]] = {}


def ride_along(kind: str, rider: Rider) -> None:
    """Bring this along with each fact of this kind ("lesson", "study"). Again is harmless. Before the first request."""
    _RIDERS.setdefault(kind, {})[rider.name] = rider


@cache
def _with_riders(kind: str, source: str) -> tuple[TextClause, tuple[str, ...]]:
    riders = tuple(_RIDERS.get(kind, {}).values())
    columns = "".join(f", {rider.column}" for rider in riders)
    statement = text(f"select kept.*{columns} from {source} as kept")  # noqa: S608 - our own texts
    return statement, tuple(rider.name for rider in riders)


def keep(kind: str, source: str, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Call the function `source`, which writes a fact of this kind, and take in what rides along; its row without that."""
    statement, names = _with_riders(kind, source)
    row = tuple(session.connection().execute(statement, values).one())
    size = len(row) - len(names)
    with together() as fact:
        for name, brought in zip(names, row[size:], strict=True):
            fact.known[name, values["user_id"]] = brought
    return row[:size]
