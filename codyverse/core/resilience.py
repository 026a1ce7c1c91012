"""A database that is away for a while: a breaker around connecting, work that is done again, what is shown meanwhile.

Why it is done this way, and what is repeated when: docs/decisions/when-the-database-is-away.md.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Literal, TypeVar

import psycopg2
import stamina
from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from codyverse.core.database import undo
from codyverse.core.notes import notes, notes_or_none
from codyverse.core.sqlstates import is_away, is_passing
from codyverse.core.without import without

with without("redis"):  # it would keep a breaker's state in Redis; ours is that of one process
    import pybreaker

log = logging.getLogger(__name__)
State = Literal["closed", "half-open", "open"]
Value = TypeVar("Value")
ATTEMPTS = 4
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, IN_ALL_SECONDS = 0.05, 0.5, 2.0
"""The first pause before another try, the longest one, and how long all tries may take together."""


class DatabaseAway(psycopg2.OperationalError):
    """Nobody connects just now, for the last tries all failed. `retry_after` in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("the database is away; nobody connects until the next probe")
        self.retry_after = retry_after


class _Told(pybreaker.CircuitBreakerListener):
    """Logs each change and passes it on."""

    def __init__(self, changed: list[Callable[[State], None]]) -> None:
        self._changed = changed

    def state_change(self, _cb: Any, old_state: Any, new_state: Any) -> None:
        level = logging.INFO if new_state.name == pybreaker.STATE_CLOSED else logging.WARNING
        log.log(level, "the database's breaker is %s, it was %s", new_state.name, old_state.name)
        for tell in self._changed:
            tell(new_state.name)


class Breaker:
    """Stands before connecting: so many failures in a row open it, then one probe at a time finds out when to close it.

    `changed` hears of each new state; what it does must be quick and must not fail.
    """

    def __init__(self, failures: int, rest_seconds: int) -> None:
        self.changed: list[Callable[[State], None]] = []
        self._rest = timedelta(seconds=rest_seconds)
        self._circuit = pybreaker.CircuitBreaker(
            failures, rest_seconds, listeners=[_Told(self.changed)], throw_new_error_on_trip=False
        )
        self._probing = threading.Lock()

    @property
    def state(self) -> State:
        """As it is now; `open` also when a probe is due."""
        found: State = self._circuit.current_state  # type: ignore[assignment]
        return found

    def open(self) -> None:
        """Nobody connects until the next probe: it is known that the database does not answer. Again begins the rest anew."""
        self._circuit.open()

    def connect(self, make: Callable[[], Value]) -> Value:
        """What `make` connects. Raises DatabaseAway, at once, while the breaker is open or somebody else probes.

        The library holds a lock while it calls, so that only probes, of which there is one at a time, go through it whole;
        while the breaker is closed several may connect at once, each for as long as the timeout allows.
        """
        try:
            if self.state == pybreaker.STATE_CLOSED:
                with self._circuit.calling():
                    return make()
            if not self._probing.acquire(blocking=False):
                raise self._refusal()
            try:
                return self._circuit.call(make)
            finally:
                self._probing.release()
        except pybreaker.CircuitBreakerError:
            raise self._refusal() from None

    def _refusal(self) -> DatabaseAway:
        opened = self._circuit._state_storage.opened_at
        left = (opened + self._rest - datetime.now(UTC)).total_seconds() if opened else 0
        return DatabaseAway(max(1, ceil(left)))


def install(app: Flask, failures: int, rest_seconds: int) -> Breaker:
    """The breaker of this application."""
    breaker = Breaker(failures, rest_seconds)
    app.extensions["database_breaker"] = breaker
    return breaker


def breaker_state(app: Flask | None = None) -> State:
    """How the breaker of this process stands: closed is well, open refuses, half-open tries."""
    breaker: Breaker = (app or current_app).extensions["database_breaker"]
    return breaker.state


# --- doing it again ---


def again(act: Callable[[], Value], may_repeat: Callable[[BaseException], bool] = is_passing) -> Value:
    """What `act` returns; after a fault that passes it is called anew, at once and then with growing, random pauses.

    `act` is a read, or a whole unit of work that may be done twice. What it left in the session is undone before each try.
    """
    try:
        return act()
    except DBAPIError as fault:
        undo()
        if not may_repeat(fault):
            raise
    return _with_pauses(act, may_repeat)


def _with_pauses(act: Callable[[], Value], may_repeat: Callable[[BaseException], bool]) -> Value:
    tries = stamina.retry_context(
        on=lambda fault: isinstance(fault, Exception) and may_repeat(fault),
        attempts=ATTEMPTS - 1,
        timeout=IN_ALL_SECONDS,
        wait_initial=PAUSE_SECONDS,
        wait_max=LONGEST_PAUSE_SECONDS,
        wait_jitter=PAUSE_SECONDS,
    )
    for one_more in tries:
        with one_more:
            noted = notes_or_none()
            if noted is not None:
                noted["repeated"] = True
            try:
                return act()
            except DBAPIError:
                undo()
                raise
    raise AssertionError("the last try either returns or raises")


def is_repeated() -> bool:
    """Whether something in this request or job has already been tried in vain: what was left out for the usual case is to be
    read now."""
    return bool((notes_or_none() or {}).get("repeated"))


# --- what is shown meanwhile ---


def take_unconfirmed() -> None:
    """This request may be answered with what was held before, if the database is away."""
    notes()["takes_unconfirmed"] = True


def is_unconfirmed() -> bool:
    """Whether this request is being answered with what the database could not confirm."""
    return bool((notes_or_none() or {}).get("unconfirmed"))


def unless_away(read: Callable[[], Value], otherwise: Callable[[], Value]) -> Value:
    """What `read` finds; `otherwise` if the database is away and this request takes what cannot be confirmed.

    Once it was away, a request does not wait for it again. Requests that take nothing unconfirmed, all that write among
    them, just read: a single read of a unit of work must not be done again on another connection.
    """
    noted = notes_or_none()
    if noted is None or "takes_unconfirmed" not in noted:
        return read()
    if "unconfirmed" in noted:
        return otherwise()
    try:
        return again(read)
    except (DBAPIError, PoolTimeout) as fault:
        if not is_away(fault):
            raise
        undo()
        noted["unconfirmed"] = True
    return otherwise()
