"""How the site is: looked at every 30 seconds in the background, told from memory, so that asking costs nothing."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import psutil
import psycopg2
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from codyverse.core.clock import now
from codyverse.core.database import db
from codyverse.core.holding import held_of
from codyverse.core.replicas import ReplicaNow
from codyverse.core.sqlstates import TIMED_OUT, code_of
from codyverse.core.unanswered import Connections, Limit, at_most, sever

log = logging.getLogger(__name__)

Database = Literal["connected", "disconnected", "timeout"]
Memory = Literal["optimal", "warning", "critical"]
Cache = Literal["operational", "degraded", "offline"]
Overall = Literal["healthy", "degraded", "critical"]
WARNING_SHARE, CRITICAL_SHARE = 0.7, 0.9
"""Of the memory that may be used: from here on it is told, from there on it is critical."""
PATIENCE_MS = 2_000
HANGS_AFTER_S = 3.0
"""A database that has not even said by then that this took too long does not answer."""
PULSE_SECONDS, PULSES = 1.0, 3
"""So often it is seen which statements are without an answer; one that is so three times in a row is looked into."""
_DEAF = text(
    "select pid from pg_stat_activity where pid = any(:pids) and state <> 'active' "
    "and clock_timestamp() - state_change > make_interval(secs => :seconds)"
)
"""Processes of the database that have begun and ended nothing for so long, and are at nothing."""
SECONDS_WHILE_AWAY = 5
"""So often at least is looked while the database is not connected, so that its return is noticed without any visitor."""
STALE_AFTER = 3
"""After so many intervals without a look, the last one says nothing any more."""
_CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """What one look found; two looks are two things. `memory_share` is what the process uses of its limit; the rest of it is in milliseconds."""

    database: Database
    memory: Memory
    cache: Cache
    checked_at: datetime
    memory_bytes: int
    memory_limit: int
    database_ms: float
    pool: dict[str, int]
    replicas: tuple[ReplicaNow, ...] = ()

    @property
    def overall(self) -> Overall:
        """Critical when the database or the memory is, degraded when anything else is off."""
        if self.database != "connected" or self.memory == "critical":
            return "critical"
        well = (self.memory, self.cache) == ("optimal", "operational")
        return "healthy" if well and not any(each.off for each in self.replicas) else "degraded"

    @property
    def parts(self) -> dict[str, str]:
        """A word for each part that there is, as the log and alerts have them."""
        told = {"database": str(self.database), "memory": str(self.memory), "cache": str(self.cache)}
        if self.replicas:
            off = [f"{each.name} {each.state}" for each in self.replicas if each.off]
            told["replicas"] = " and ".join(off) or "operational"
        return told


class Monitor:
    """Looks every `every` seconds, from the first question on; `tell` hears of every change of the overall state.

    `connections` are those of the database; when it hangs, who waits on them is let go, and `hangs` is called before.
    """

    def __init__(
        self,
        app: Flask,
        every: float,
        memory_limit: int,
        look_at_cache: Callable[[], Cache],
        look_at_replicas: Callable[[], tuple[ReplicaNow, ...]] = lambda: (),
        *,
        connections: Connections | None = None,
        hangs: Callable[[], None] = lambda: None,
    ) -> None:
        self.app = app
        self.every = every
        self.memory_limit = memory_limit or memory_limit_of_machine()
        self.look_at_cache = look_at_cache
        self.look_at_replicas = look_at_replicas
        self.connections = connections or Connections()
        self.hangs = hangs
        self.began = time.monotonic()
        self.tell: list[Callable[[Health | None, Health], None]] = []
        self._lock = threading.Lock()
        self._last: Health | None = None
        self._looked = 0.0
        self._thread: threading.Thread | None = None
        self._stuck: frozenset[Any] = frozenset()
        self._awake = threading.Event()
        self._over = threading.Event()

    def wake(self) -> None:
        """Something has changed: look soon."""
        self._awake.set()

    def current(self) -> Health:
        """The last look; the first one if there was none yet, or if the background stands still."""
        if self._thread is None:
            self.begin()
        last = self._last
        if last is None or time.monotonic() - self._looked > STALE_AFTER * self.every:
            return self.look()
        return last

    @property
    def uptime(self) -> int:
        """Seconds since this process began."""
        return int(time.monotonic() - self.began)

    def look(self) -> Health:
        """Look now. Several at once look one after another, and those that waited take what the first found."""
        asked = time.monotonic()
        with self._lock:
            if self._last is not None and self._looked > asked:
                return self._last
            before, found = self._last, self._find()
            self._last, self._looked = found, time.monotonic()
        if before is None or before.overall != found.overall:
            self._say(before, found)
        return found

    def _say(self, before: Health | None, found: Health) -> None:
        level = logging.INFO if found.overall == "healthy" else logging.ERROR
        parts = ", ".join(f"{name} {word}" for name, word in found.parts.items())
        log.log(level, "health is %s: %s", found.overall, parts)
        for tell in self.tell:
            try:
                tell(before, found)
            except Exception:
                log.exception("a change of health could not be told")

    def begin(self) -> None:
        """Look from now on in the background. Again is harmless."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="health", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Look no more in the background. Again is harmless."""
        self._over.set()
        self._awake.set()

    @contextmanager
    def looking_after(self) -> Iterator[None]:
        """Within the block who waits for a database that hangs is let go, and nobody is told: for commands."""
        other = Monitor(
            self.app,
            self.every,
            self.memory_limit,
            self.look_at_cache,
            connections=self.connections,
            hangs=self.hangs,
        )
        thread = threading.Thread(target=other._look_after, name="looks-after", daemon=True)
        thread.start()
        try:
            yield
        finally:
            other.end()
            thread.join(PULSE_SECONDS)

    def _look_after(self) -> None:
        while True:
            self._pause(self.every)
            if self._over.is_set():
                return
            with suppress(Exception):
                self._look_at_database()

    def _run(self) -> None:
        while not self._over.is_set():
            away = self._last is not None and self._last.database != "connected"
            self._pause(min(self.every, SECONDS_WHILE_AWAY) if away else self.every)
            self._awake.clear()
            if self._over.is_set():
                return
            try:
                self.look()
            except Exception:
                log.exception("health could not be looked at")

    def _pause(self, seconds: float) -> None:
        """Until it is time, until somebody wakes us, or until a statement has been without an answer for some pulses."""
        until, waiting = time.monotonic() + seconds, deque[frozenset[Any]](maxlen=PULSES)
        while not self._awake.wait(max(0.0, min(PULSE_SECONDS, until - time.monotonic()))):
            waiting.append(self.connections.unanswered())
            self._stuck = frozenset.intersection(*waiting) if len(waiting) == PULSES else frozenset()
            if self._stuck:
                return
            if time.monotonic() >= until:
                return

    def _find(self) -> Health:
        used = psutil.Process().memory_info().rss
        database, milliseconds = self._look_at_database()
        return Health(
            database=database,
            memory=memory_of(used / self.memory_limit),
            cache=self.look_at_cache(),
            checked_at=now(),
            memory_bytes=used,
            memory_limit=self.memory_limit,
            database_ms=round(milliseconds, 1),
            pool=self._pool(),
            replicas=self.look_at_replicas(),
        )

    def _look_at_database(self) -> tuple[Database, float]:
        """How it is, and in how many milliseconds it said so. If it hangs on a new connection as well, who waits is let go."""
        began, waiting = time.perf_counter(), self.connections.unanswered()
        found, hung = self._ask_database()
        if hung:
            found, _ = self._ask_database()
            if found != "connected":
                self.hangs()
                log.error("the database does not answer; let go: %d who waited for it", sever(waiting))
        elif found == "connected" and (let_go := sever(self._deaf(self._stuck & waiting))):
            log.warning("some of the database's processes stand still; let go: %d who waited", let_go)
        return found, (time.perf_counter() - began) * 1000

    def _deaf(self, waiting: frozenset[Any]) -> list[Any]:
        """Those of them whose process in the database has not even begun with what was sent to it."""
        if not waiting:
            return []
        try:
            of_pid = {each.info.backend_pid: each for each in waiting}
            with self.app.app_context(), db.engine.engine.connect() as connection:
                asked = {"pids": list(of_pid), "seconds": PULSES * PULSE_SECONDS}
                with at_most(HANGS_AFTER_S, connection.connection.dbapi_connection), connection.begin():
                    return [of_pid[pid] for pid in connection.execute(_DEAF, asked).scalars()]
        except (SQLAlchemyError, psycopg2.Error):
            return []

    def _ask_database(self) -> tuple[Database, bool]:
        """How it is, and whether it said nothing: neither to what was asked, nor to who wants to connect."""
        limit, silent = Limit(), False
        try:
            with self.app.app_context(), db.engine.engine.connect() as connection:
                raw = connection.connection.dbapi_connection
                with at_most(HANGS_AFTER_S, raw) as limit, connection.begin():
                    connection.execute(
                        text("select set_config('statement_timeout', :ms, true)"), {"ms": str(PATIENCE_MS)}
                    )
                    connection.execute(text("select 1"))
            found: Database = "connected"
        except PoolTimeout:
            found = "timeout"
        except DBAPIError as fault:
            known = self._last.database if self._last else "connected"
            if hasattr(fault.orig, "retry_after") and known != "connected":
                return known, False  # nobody asked: the breaker refused, as since the last look
            code = code_of(fault)
            silent = limit.is_over or (not code and "timeout" in str(fault.orig))
            found = "timeout" if silent or code in TIMED_OUT else "disconnected"
        return found, silent

    def _pool(self) -> dict[str, int]:
        with self.app.app_context():
            pool: Any = db.engine.engine.pool
            used, idle = held_of(db.engine.engine)
        return {
            "inUse": pool.checkedout() + used,
            "idle": pool.checkedin() + idle,
            "beyondSize": max(0, pool.overflow()),
        }


def memory_of(share: float) -> Memory:
    """The word for this share of the memory that may be used."""
    if share >= CRITICAL_SHARE:
        return "critical"
    return "warning" if share >= WARNING_SHARE else "optimal"


def memory_limit_of_machine() -> int:
    """Bytes that may be used: the control group's limit, else the machine's memory."""
    whole = int(psutil.virtual_memory().total)
    for file in _CGROUP:
        try:
            return min(whole, int(file.read_text()))
        except (OSError, ValueError):
            continue
    return whole
