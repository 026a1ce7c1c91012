"""The connection that a unit of work writes on past the session, and its transaction."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from sqlalchemy import RootTransaction
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from codyverse.core.holding import Held


@dataclass(frozen=True, slots=True)
class Left:
    """A statement that nobody waits to hear of: as it is known, and as it is sent, with its values in it. `took` is told its
    share of the seconds, and whether those of the commit are among them."""

    text: str
    sent: bytes
    took: Callable[[float, bool], None]


@dataclass(slots=True)
class Writer:
    """A connection that a unit of work holds, and its transaction: `begin` goes with its first statement and what was left with
    `commit`, for each would be a round trip of its own. The driver is in autocommit and leaves that to us; SQLAlchemy keeps
    the transaction's books."""

    held: Held
    transaction: RootTransaction
    begun: bool = False
    over: bool = False
    left: list[Left] = field(default_factory=list)

    def still_open(self) -> "Writer":
        """Itself. Raises InvalidRequestError when it was undone."""
        if self.over:
            raise InvalidRequestError("this unit of work was undone; what follows would be kept by itself")
        return self

    def note(self) -> None:
        """A statement was tried: whether the transaction has begun with it the driver knows; one that never left did not."""
        if not self.begun:
            self.begun = bool(self.held.raw.get_transaction_status() != TRANSACTION_STATUS_IDLE)

    def join(self) -> None:
        """Somebody else is about to send a statement on this connection: the transaction begins, and what was left is sent.
        Again is harmless."""
        if not self.begun:
            self._say(b"begin", "begin")
            self.begun = True
        self.send_left()

    def leave(self, what: Left) -> None:
        """Have this sent with the commit, or before whatever comes first. It raises then what it raises."""
        self.left.append(what)

    def send_left(self) -> None:
        """Send what was left, now."""
        if self.left:
            self._send_left_with(b"")

    def commit(self) -> None:
        """Keep all of it. Raises what SQLAlchemy raises, also if somebody has rolled it back."""
        self.transaction.commit()
        if self.begun and self._send_left_with(b"commit") != "COMMIT":
            raise InvalidRequestError(
                "a statement of this unit of work had failed, so nothing of it was kept"
            )

    def undo(self) -> None:
        """Keep nothing. A connection that cannot even do that is not given back."""
        self.over, self.left = True, []
        with suppress(DBAPIError):
            if self.begun and not self.held.connection.invalidated and not self.held.is_clean:
                self._say(b"rollback", "rollback")
            self.transaction.close()

    def _send_left_with(self, word: bytes) -> str:
        left, self.left = self.left, []
        began = time.perf_counter()
        said = self._say(
            b"; ".join([*(each.sent for each in left), word]), *(each.text for each in left), word.decode()
        )
        took = time.perf_counter() - began
        for each in left:
            each.took(took / len(left), bool(word))
        return said

    def _say(self, words: bytes, *known_as: str) -> str:
        """Send them; what PostgreSQL says that it did last: it answers a commit after a fault with ROLLBACK. `known_as` is what
        a fault tells, for the words themselves have values in them."""
        try:
            self.held.cursor.execute(words)
            return str(self.held.cursor.statusmessage)
        except psycopg2.Error as fault:
            told = "; ".join(filter(None, known_as))
            self.held.connection._handle_dbapi_exception(fault, told, None, None, None)  # always raises
