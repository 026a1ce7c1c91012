"""Connections that are taken out of an engine's pool and kept, for what comes by the thousand: a checkout costs more than most
statements."""

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

MOST_KEPT = 8
"""Of one process, for each database. More threads than that serve no request faster, and one thread uses one at a time."""
RECYCLED_AFTER_S = 1800
"""As the pool does it: what has been open for longer is replaced, for addresses and servers change."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A connection as SQLAlchemy knows it, the driver's own, and the cursor that all its statements use."""

    connection: Connection
    raw: Any
    cursor: Any
    since: float

    @property
    def is_clean(self) -> bool:
        """Whether it is alive, as far as the driver knows, and within no transaction."""
        if self.connection.invalidated or self.raw.closed:
            return False
        return bool(self.raw.get_transaction_status() == TRANSACTION_STATUS_IDLE)


class Holder:
    """At most `most` connections of an engine. They are not the pool's, so that whoever holds one of the pool's never waits for
    one of these, nor the other way round. Safe to call from several threads."""

    def __init__(self, engine: Engine, most: int, **options: Any) -> None:
        self._engine = engine.execution_options(**options)
        self._most = most
        self._free: deque[Held] = deque()
        self._lock, self._open = threading.Lock(), 0
        _HOLDERS.setdefault(engine, []).append(self)
        event.listen(engine, "engine_disposed", lambda _engine: self.close_free())

    def take(self) -> Held | None:
        """One of them, opened if need be; None if all are in use: then one of the pool's serves. Raises what connecting does."""
        with suppress(IndexError):
            while True:
                held = self._free.pop()
                if time.monotonic() - held.since < RECYCLED_AFTER_S:
                    return held
                self.close(held)
        with self._lock:
            if self._open >= self._most:
                return None
            self._open += 1
        try:
            connection = self._engine.connect()
            connection.detach()
            raw = connection.connection.dbapi_connection
            assert raw is not None
            return Held(connection, raw, raw.cursor(), time.monotonic())
        except BaseException:
            with self._lock:
                self._open -= 1
            raise

    def give(self, held: Held) -> None:
        """Back again. One that is not as it was is closed."""
        if held.is_clean:
            self._free.append(held)
        else:
            self.close(held)

    def put_back(self, held: Held) -> None:
        """Back again after a statement that went well, which leaves it as it was."""
        self._free.append(held)

    def close_free(self) -> None:
        """Close those that nobody uses: beside a connection that broke they have most likely broken too."""
        with suppress(IndexError):
            while True:
                self.close(self._free.pop())

    def close(self, held: Held) -> None:
        """For good. What it has not committed is undone."""
        with self._lock:
            self._open -= 1
        with suppress(psycopg2.Error):
            held.cursor.close()
        try:
            held.connection.close()
        except DBAPIError:
            held.connection.invalidate()

    @property
    def figures(self) -> tuple[int, int]:
        """How many are in use, and how many wait for it."""
        idle = len(self._free)
        return max(0, self._open - idle), idle


_KEPT: dict[Engine, Holder] = {}
_MAKING = threading.Lock()


def kept_of(engine: Engine) -> Holder:
    """The connections of this engine on which each statement is a transaction of its own, unless somebody says `begin`: for
    readers and writers alike, so that a request that finds out who acts and then writes stays with one process of PostgreSQL,
    whose memory is warm from it. The same for all threads, also for those that ask first at once: what one gives back, another
    one counts."""
    if engine not in _KEPT:
        with _MAKING:
            if engine not in _KEPT:
                _KEPT[engine] = Holder(engine, MOST_KEPT, isolation_level="AUTOCOMMIT")
    return _KEPT[engine]


_HOLDERS: "WeakKeyDictionary[Engine, list[Holder]]" = WeakKeyDictionary()


def held_of(engine: Engine) -> tuple[int, int]:
    """Of all connections that are kept of this engine beside its pool: how many are in use, and how many wait for it."""
    figures = [each.figures for each in _HOLDERS.get(engine, ())]
    return sum(used for used, _ in figures), sum(idle for _, idle in figures)
