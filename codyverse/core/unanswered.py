"""Connections whose last statement was sent and never answered: a PostgreSQL that hangs closes nothing and refuses nothing.

psycopg2 waits without a limit of its own, and the server's limits are kept by the server. So somebody beside the one who waits
shuts the socket down; to the one who waits that is a connection that broke (docs/decisions/when-the-database-is-away.md).
"""

import os
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE


class Connections:
    """All that this process has open to one database, for as long as somebody holds them. Safe to call from several threads."""

    def __init__(self) -> None:
        self._open: WeakSet[Any] = WeakSet()
        self._lock = threading.Lock()

    def keep(self, raw: Any) -> Any:
        """The driver's connection that was just made, itself; it is known from now on."""
        with self._lock:
            self._open.add(raw)
        return raw

    def unanswered(self) -> frozenset[Any]:
        """Those on which a statement was sent whose answer has not come. Asks the driver, which asks nobody."""
        with self._lock:
            known = list(self._open)
        return frozenset(each for each in known if _waits(each))


def sever(connections: Iterable[Any]) -> int:
    """Let go who still waits on these: to them the connection breaks now. How many there were. What a statement among them did
    nobody knows, as with any connection that breaks. Again is harmless."""
    return sum(_sever(each) for each in connections)


def _waits(raw: Any) -> bool:
    with suppress(psycopg2.Error):  # somebody has closed it just now
        return bool(raw.get_transaction_status() == TRANSACTION_STATUS_ACTIVE)
    return False


def _sever(raw: Any) -> bool:
    """Whoever waits cannot close it meanwhile, so its socket is the one that is meant."""
    with suppress(psycopg2.Error, OSError):
        if _waits(raw):
            with socket.socket(fileno=os.dup(raw.fileno())) as same:
                same.shutdown(socket.SHUT_RDWR)
            return True
    return False


@dataclass(slots=True)
class Limit:
    """Whether the time was up."""

    is_over: bool = False


@contextmanager
def at_most(seconds: float, raw: Any) -> Iterator[Limit]:
    """What is asked on this connection within the block is answered within so many seconds, or fails as a connection that broke."""
    limit = Limit()

    def end() -> None:
        limit.is_over = _waits(raw)  # before who waits is woken, for they look at it at once
        if limit.is_over:
            _sever(raw)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield limit
    finally:
        timer.cancel()
