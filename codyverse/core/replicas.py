"""Streaming replicas that reads may go to: who of them is near enough, looked at every second in the background.

A replica is read from while it answers, is still a replica, and has everything that the primary had `most_lag` seconds
ago. Somebody who wrote is sent only to one that has what they wrote (`core.marks`). Whatever is not known for certain
means the primary. Why it is done this way: docs/decisions/read-replicas.md.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import psycopg2
from flask import Flask, current_app
from sqlalchemy import Engine, create_engine

from codyverse.core.database import db
from codyverse.core.libpq import words_for
from codyverse.core.unanswered import Connections, Limit, at_most, sever

if TYPE_CHECKING:
    from codyverse.core.marks import Marks

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
"""Between two looks at a replica; for so long, at most, who has just written reads from the primary."""
PATIENCE_SECONDS = 2
"""For a connection to a replica, and for its answer to a look; libpq takes no less than two."""
GRACE_SECONDS = 10.0
"""A replica that is out for less says nothing about the site's health: it was started anew, or caught its breath."""
State = Literal["level", "behind", "away"]
_WRITTEN = "select (pg_current_wal_lsn() - '0/0')::bigint"
_INSERTED = "select (pg_current_wal_insert_lsn() - '0/0')::bigint"
_REPLAYED = "select pg_is_in_recovery(), (coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0')::bigint"
_NOT_YET = "not looked at yet"
Connect = Callable[[], Any]


@dataclass(eq=False, slots=True)
class Replica:
    """One replica: how far it has replayed, in bytes of the log, and when the primary stood there (monotonic seconds).

    `well_at` is when it was near enough last, or when nobody could tell because the primary did not answer.
    """

    name: str
    connect: Connect
    engine: Engine
    connections: Connections
    position: int = 0
    level_at: float = float("-inf")
    well_at: float = float("inf")
    fault: str = _NOT_YET
    looks: int = 0

    @property
    def lag(self) -> float:
        """Seconds since it had everything; grows also when nobody looks any more, and is without end while it is out."""
        return time.monotonic() - self.level_at


@dataclass(frozen=True, slots=True)
class ReplicaNow:
    """How a replica is. `lag` in seconds, None while it is not known; `fault` is '' unless it is away.

    `off`: it has been out for so long that the site is less well than it should be.
    """

    name: str
    state: State
    lag: float | None
    fault: str
    off: bool

    @property
    def more(self) -> str:
        """What there is to say beside the word of its state."""
        if self.fault:
            return self.fault
        if self.lag is None:
            return "nobody knows by how much, and not read from"
        return f"{self.lag:.1f} s " + ("behind at most" if self.state == "level" else "and not read from")

    @property
    def is_known(self) -> bool:
        """Whether another look would say the same: one that seems behind may only not have been looked at for long enough."""
        return self.state == "level" or self.fault not in ("", _NOT_YET)


@dataclass(slots=True)
class Track:
    """Where the primary's log stood, and when: from this follows how many seconds a replica is behind."""

    seconds: float
    points: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, at: float, position: int) -> None:
        """The primary stood there then."""
        if not self.points or position > self.points[-1][1]:
            self.points.append((at, position))
        else:  # nothing was written since: whoever has that much is level up to now
            self.points[-1] = (at, self.points[-1][1])
        while self.points and self.points[0][0] < at - self.seconds:
            self.points.popleft()

    def level(self, position: int) -> float:
        """The last moment of which this position has everything; minus infinity if that is too long ago to be known."""
        return max((at for at, written in self.points if written <= position), default=float("-inf"))


class Watch(threading.Thread):
    """Looks at one replica as long as the process lives, and lets in or out what it finds."""

    def __init__(self, replica: Replica, primary: Connect, most_lag: float, then: Callable[[], None]) -> None:
        super().__init__(name=f"watch-{replica.name}", daemon=True)
        self.replica = replica
        self.track = Track(2 * most_lag + 10)
        self.most_lag = most_lag
        self._then = then
        self._sides: dict[str, Connect] = {"primary": primary, "replica": replica.connect}
        self.over = threading.Event()
        self._open: dict[str, Any] = {}

    def run(self) -> None:
        self.replica.well_at = time.monotonic()
        while not self.over.wait(LOOK_SECONDS if self.replica.looks else 0):
            self.look()
            self._then()
            self.replica.looks += 1

    def look(self) -> None:
        """One look. A primary that does not answer lets the replica grow old, for nobody knows how far behind it is."""
        replica = self.replica
        at = time.monotonic()
        try:
            self.track.add(at, int(self._ask("primary", _WRITTEN)[0]))
        except psycopg2.Error as fault:
            log.debug("replicas: the primary does not answer: %s", fault)
            replica.well_at = at
        waiting = replica.connections.unanswered()
        try:
            still_replica, position = self._ask("replica", _REPLAYED)
        except psycopg2.Error as fault:
            if let_go := sever(waiting):
                log.warning("replica %s: let go: %d who waited for its answer", replica.name, let_go)
            self._out(str(fault).strip().partition("\n")[0])
            return
        if not still_replica:
            self._out("it is no replica (any more), so what it holds may be another site's")
            return
        replica.position, replica.level_at = int(position), self.track.level(int(position))
        if replica.lag <= self.most_lag:
            replica.well_at = at
        if replica.fault:
            log.info("replica %s answers", replica.name)
            replica.fault = ""

    def _out(self, why: str) -> None:
        replica = self.replica
        replica.level_at = float("-inf")
        if replica.fault != why:
            log.warning("replica %s is left out: %s", replica.name, why)
            replica.fault = why

    def _ask(self, side: str, query: str) -> Any:
        """One row, on a connection that is kept until it fails; one that does not answer fails."""
        limit = Limit()
        try:
            if side not in self._open:
                self._open[side] = self._sides[side]()
                self._open[side].autocommit = True
            raw = self._open[side]
            with at_most(PATIENCE_SECONDS + 1, raw) as limit, raw.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchone()
        except psycopg2.Error:
            broken = self._open.pop(side, None)
            if broken is not None:
                broken.close()
            if limit.is_over:
                raise psycopg2.OperationalError(f"no answer within {PATIENCE_SECONDS + 1} s") from None
            raise


class Replicas:
    """All replicas of an application, watched from the first question on."""

    def __init__(
        self,
        replicas: Sequence[Replica],
        primary: Callable[[], Engine],
        connect: Connect,
        most_lag: float,
        marks: "Marks",
    ) -> None:
        self.all = tuple(replicas)
        self.most_lag = most_lag
        self._primary = primary
        self._connect = connect
        self._marks = marks
        self._lock = threading.Lock()
        self.watches: tuple[Watch, ...] = ()

    def _begin(self) -> None:
        with self._lock:
            if not self.watches:
                self.watches = tuple(
                    Watch(each, self._connect, self.most_lag, self._marks.send_rest) for each in self.all
                )
                for watch in self.watches:
                    watch.start()

    def now(self) -> tuple[ReplicaNow, ...]:
        """How each of them is, in the order of the settings; from the last look, so that it costs nothing."""
        if not self.watches:
            self._begin()
        return tuple(self._now(each) for each in self.all)

    def _now(self, each: Replica) -> ReplicaNow:
        lag = each.lag
        state: State = "away" if each.fault else "level" if lag <= self.most_lag else "behind"
        known = None if each.fault or lag == float("inf") else round(lag, 3)
        return ReplicaNow(
            each.name, state, known, each.fault, time.monotonic() - each.well_at > GRACE_SECONDS
        )

    def look_now(self) -> tuple[ReplicaNow, ...]:
        """How each of them is, for who does not watch them: looks until it is known, some seconds at most."""
        watched = bool(self.watches)
        until = time.monotonic() + max(self.most_lag, PATIENCE_SECONDS) + 2 * LOOK_SECONDS
        while not all(each.is_known for each in self.now()) and time.monotonic() < until:
            time.sleep(0.05)
        found = self.now()
        if not watched:
            self.close()
        return found

    def close(self) -> None:
        """Look no more, and leave all of them; what begins anew afterwards looks again."""
        for watch in self.watches:
            watch.over.set()
        for watch in self.watches:
            watch.join()
        self.watches = ()
        for each in self.all:
            self.failed(each)

    def choose(self, person: int) -> Replica | None:
        """A replica that has all that this person wrote; None when the primary has to be asked."""
        if not self.watches:
            self._begin()
        near = [each for each in self.all if each.lag <= self.most_lag]
        if not near:
            return None
        wrote = self._marks.of(person)
        if wrote is None:
            return None
        fit = [each for each in near if each.position >= wrote]
        return random.choice(fit) if fit else None  # noqa: S311 - to spread the load, not to keep a secret

    def failed(self, replica: Replica) -> None:
        """A read broke off there: it is left out until a look finds it well."""
        replica.level_at = float("-inf")
        replica.engine.dispose()

    def wrote(self, person: int) -> None:
        """Remember for this person how far the log has come; after their commit. Raises SQLAlchemyError."""
        with self._primary().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            position = connection.exec_driver_sql(_INSERTED).scalar_one()
        self._marks.keep(person, int(position))


def connector(url: str, statement_timeout_ms: int, name: str, made: Connections | None = None) -> Connect:
    """How to connect to a replica; a host that is gone without a word is noticed within seconds. `made` knows what was connected."""

    def connect() -> Any:
        more = {
            "application_name": name,
            "connect_timeout": PATIENCE_SECONDS,
            "tcp_user_timeout": 1000 * PATIENCE_SECONDS,
            "options": f"-c statement_timeout={statement_timeout_ms}",
        }
        raw = psycopg2.connect(**words_for(url, more))
        return made.keep(raw) if made else raw

    return connect


def install(
    app: Flask,
    urls: Sequence[str],
    *,
    redis_url: str | None,
    redis_timeout_s: float,
    statement_timeout_ms: int,
    most_lag_s: float,
) -> None:
    """Give the application its replicas; without any, everything reads from the primary."""
    app.extensions["replicas"] = None
    if not urls or redis_url is None:
        return
    options = dict(app.config["SQLALCHEMY_ENGINE_OPTIONS"])
    primary = options.pop("creator")
    found = []
    for number, url in enumerate(urls, 1):
        connections = Connections()
        reads = connector(url, statement_timeout_ms, "codyverse", connections)
        looks = connector(url, 1000 * PATIENCE_SECONDS, "codyverse-watch")
        engine = create_engine("postgresql+psycopg2://", creator=reads, **options)
        found.append(Replica(f"replica-{number}", looks, engine, connections))
    from codyverse.core.marks import Marks

    marks = Marks(redis_url, redis_timeout_s, settle_seconds=int(most_lag_s) + 2)
    app.extensions["replicas"] = Replicas(found, lambda: db.engines[None], primary, most_lag_s, marks)


def replicas(app: Flask | None = None) -> Replicas | None:
    """Those of this application, None if it has none."""
    found: Replicas | None = (app or current_app).extensions.get("replicas")
    return found
