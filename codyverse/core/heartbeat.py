"""Every few seconds each process writes down what it has seen and how it is. In the background: no request pays for it.

What a process killed with kill -9 had not yet written is lost, at most `every` seconds of figures. One that is asked to
stop writes the rest first.
"""

import logging
import os
import platform
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import parent_process, util
from typing import Any, Literal

import psutil
from flask import Flask, current_app
from sqlalchemy import BigInteger, Float, Text, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core import metrics, series
from codyverse.core.cache import SECONDS, cache_looks
from codyverse.core.clock import now
from codyverse.core.database import Base, db, session, unit_of_work
from codyverse.core.errors import DomainError
from codyverse.core.holding import held_of
from codyverse.core.recorder import Recorder
from codyverse.core.replicas import replicas

log = logging.getLogger(__name__)
Kind = Literal["web", "worker", "stream", "command"]
GONE_AFTER = timedelta(hours=1)
"""A process that has not been heard of for so long is forgotten."""


class Instance(Base):
    """A process of the site, as it was at `seen_at`. `cpu` is its share of one core, `busy` that of its threads."""

    __tablename__ = "instances"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    every: Mapped[float] = mapped_column(Float(53))
    memory: Mapped[int] = mapped_column(BigInteger)
    memory_limit: Mapped[int] = mapped_column(BigInteger)
    cpu: Mapped[float] = mapped_column(Float(53))
    threads: Mapped[int]
    busy: Mapped[float] = mapped_column(Float(53))
    pool_in_use: Mapped[int]
    pool_most: Mapped[int]
    streams: Mapped[int]


@dataclass(frozen=True, slots=True)
class InstanceNow:
    """A process that was heard of lately. `silent`: it has missed three of its beats."""

    name: str
    kind: str
    started_at: datetime
    seen_at: datetime
    memory: int
    memory_limit: int
    cpu: float
    threads: int
    busy: float
    pool_in_use: int
    pool_most: int
    streams: int
    silent: bool


_COLUMNS = "name, kind, started_at, seen_at, every, memory, memory_limit, cpu, threads, busy, pool_in_use, pool_most, streams"
_HERE = text(f"""
    insert into instances ({_COLUMNS})
    values (:name, :kind, :started_at, :seen_at, :every, :memory, :memory_limit, :cpu, :threads, :busy, :pool_in_use,
            :pool_most, :streams)
    on conflict (name) do update set
        kind = excluded.kind, seen_at = excluded.seen_at, memory = excluded.memory, cpu = excluded.cpu,
        busy = excluded.busy, pool_in_use = excluded.pool_in_use, streams = excluded.streams
""")  # noqa: S608 - only the names above
_INSTANCES = text(f"""
    select {_COLUMNS} from instances
    where seen_at + make_interval(secs => greatest(600, every * 4)) > :at order by kind desc, name
""")  # noqa: S608 - only the names above
_FORGET = text("delete from instances where seen_at < :before")
_LEAVE = text("delete from instances where name = :name")


class Heartbeat:
    """Of one application in one process. `begin` may be called by every request; only the first does something."""

    def __init__(self, app: Flask, every: float, threads: int, pool_most: int, memory_limit: int) -> None:
        self.app = app
        self.every = every
        self.threads = threads
        self.pool_most = pool_most
        self.memory_limit = memory_limit
        self.recorder = Recorder()
        self.kind: Kind = "web"
        self.streams: Callable[[], int] = lambda: 0
        self.beside: list[Callable[[], object]] = []
        """What else begins with the first beat."""
        self.afterwards: list[Callable[[], object]] = []
        """What ends with the last one."""
        self.started_at = now()
        self._pid = 0
        self._beating = threading.Lock()
        self._cpu = self._looked = 0.0
        self._looks: Counter[tuple[str, bool]] = Counter()
        self._refused = 0
        self._busy = 0.0
        self._stop = threading.Event()

    @property
    def name(self) -> str:
        """This process among all of the site's."""
        return f"{platform.node()}:{os.getpid()}"

    def begin(self) -> None:
        """Start to beat, once per process: after a fork the child begins anew. Does nothing when `every` is 0."""
        if not self.every or self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._stop = threading.Event()
        self.started_at = now()
        self._mark()
        threading.Thread(target=self._run, args=(self._stop,), name="heartbeat", daemon=True).start()
        if (
            parent_process() is not None
        ):  # a worker of the server, which ends without atexit; others call `end`
            util.Finalize(None, self.end, exitpriority=10)
        for begin in self.beside:
            begin()

    def end(self) -> None:
        """Write the rest, and say that this process is gone. Again is harmless."""
        if self._stop.is_set() or self._pid != os.getpid():
            return
        self._stop.set()
        for end in self.afterwards:
            end()
        self.beat(last=True)

    def busy(self, seconds: float) -> None:
        """A thread was busy with a request for so long."""
        self._busy += seconds  # a rare lost addition of two threads at once moves a gauge by one request

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self.every):
            try:
                self.beat()
            except Exception:
                log.exception("a heartbeat failed")

    def beat(self, *, last: bool = False) -> bool:
        """Write down what was seen since the last time; whether that could be done. What could not is kept for the next."""
        with self._beating:
            with self.app.app_context():
                values = self._look()
            figures, kept = self.recorder.take(), False
            try:
                with self.app.app_context(), unit_of_work():
                    series.write(figures)
                    if last:
                        session.connection().execute(_LEAVE, {"name": self.name})
                    else:
                        session.connection().execute(_HERE, values)
                kept = True
            except (SQLAlchemyError, DomainError, OSError) as fault:
                log.warning("figures wait, for they could not be written down: %s", type(fault).__name__)
            finally:
                if not kept:
                    self.recorder.give_back(figures)
        return kept

    def _mark(self) -> None:
        """From here on the time until the next look is reckoned."""
        times = psutil.Process().cpu_times()
        self._cpu, self._looked, self._busy = times.user + times.system, time.monotonic(), 0.0

    def _look(self) -> dict[str, Any]:
        """How the process is; on the way the figures that are only sampled are taken."""
        cpu_before, looked_before, busy = self._cpu, self._looked, self._busy
        self._mark()
        span = max(0.001, self._looked - looked_before)
        cpu, memory = max(0.0, self._cpu - cpu_before), int(psutil.Process().memory_info().rss)
        pool: Any = db.engine.engine.pool
        threads = self.threads if self.kind == "web" else 0
        used, idle = held_of(db.engine.engine)
        in_use, streams = int(pool.checkedout()) + used, self.streams()
        self.recorder.counted("cpu", self.kind, total=cpu)
        self.recorder.counted("capacity", self.kind, total=threads * span)
        for name, value in (("memory", memory), ("pool", in_use), ("streams", streams)):
            self.recorder.sampled(name, self.kind, value)
        self._count_cache()
        self._count_refused()
        self._show(memory, in_use, int(pool.checkedin()) + idle, streams, busy / span if threads else 0)
        return {
            "name": self.name,
            "kind": self.kind,
            "started_at": self.started_at,
            "seen_at": now(),
            "every": self.every,
            "memory": memory,
            "memory_limit": self.memory_limit,
            "cpu": cpu / span,
            "threads": threads,
            "busy": min(1.0, busy / span / threads) if threads else 0.0,
            "pool_in_use": in_use,
            "pool_most": self.pool_most,
            "streams": streams,
        }

    def _count_cache(self) -> None:
        looks = Counter(cache_looks())
        for lifetime in SECONDS:
            for hit in (True, False):
                more = looks[lifetime, hit] - self._looks[lifetime, hit]
                self.recorder.counted("cache", lifetime, "hit" if hit else "miss", more)
        self._looks = looks

    def _count_refused(self) -> None:
        """Those that the door, if a server has put one up, told to come again."""
        gate: Any = self.app.extensions.get("gate")
        refused = gate.load().refused if gate else 0
        self.recorder.counted("refused", self.kind, number=refused - self._refused)
        self._refused = refused

    def _show(self, memory: int, in_use: int, idle: int, streams: int, busy: float) -> None:
        """The same as gauges for Prometheus."""
        metrics.memory_bytes.set(memory)
        metrics.cpu_seconds.set(self._cpu)
        metrics.pool_in_use.set(in_use)
        metrics.pool_idle.set(idle)
        metrics.pool_most.set(self.pool_most)
        metrics.streams.set(streams)
        if self.kind == "web":
            metrics.threads.set(self.threads)
            metrics.threads_busy.set(busy)
            self._show_replicas()

    def _show_replicas(self) -> None:
        found = replicas(self.app)
        for each in found.now() if found else ():
            metrics.replica_in_use.labels(each.name).set(each.state == "level")
            metrics.replica_lag.labels(each.name).set(float("inf") if each.lag is None else each.lag)


def install(app: Flask, *, every: float, threads: int, pool_most: int, memory_limit: int) -> None:
    """Give the application its heart; it begins with the first request, or where a process calls `begin`."""
    app.extensions["heartbeat"] = Heartbeat(app, every, threads, pool_most, memory_limit)


def of(app: Flask) -> Heartbeat:
    """The heart of this application in this process."""
    found: Heartbeat = app.extensions["heartbeat"]
    return found


def recorder() -> Recorder:
    """Where this process of the current application counts."""
    return of(current_app).recorder


def instances() -> tuple[InstanceNow, ...]:
    """The processes of the site that were heard of in the last ten minutes, or four beats. One statement."""
    at = now()
    rows = session.connection().execute(_INSTANCES, {"at": at}).mappings()
    found = []
    for row in rows:
        values = dict(row)
        every = values.pop("every")
        found.append(InstanceNow(**values, silent=(at - row["seen_at"]).total_seconds() > 3 * every + 2))
    return tuple(found)


def forget_gone() -> int:
    """Delete the processes that have not been heard of for an hour; how many."""
    return int(session.connection().execute(_FORGET, {"before": now() - GONE_AFTER}).rowcount)
