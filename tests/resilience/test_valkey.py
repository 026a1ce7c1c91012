"""Valkey is killed, silent, and back again under load: every request is answered, limits and cache go on."""

import http.client
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from codyverse import create_app
from codyverse.core.database import db
from tests.conftest import drop_database, make_database, settings_for
from tests.crash.hall import Hall, Learner
from tests.domains.study import Plan, make_course
from tests.e2e.conftest import environment, stop
from tests.ports import free_port
from tests.resilience.measured import written
from tests.resilience.valkey import Valkey

BACK_S = 70
"""The limits look for their Valkey after 1, 2, 4 … at most 32 seconds; the cache after five."""


@dataclass
class Site:
    """A server with a Valkey, and readers who never stop."""

    hall: Hall
    valkey: Valkey
    learner: Learner
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    slowest: float = 0.0

    def get(self, path: str, cookie: str = "") -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", int(self.hall.env["PORT"]), timeout=60)
        try:
            connection.request("GET", path, headers={"Cookie": f"codyverse={cookie}"} if cookie else {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    @contextmanager
    def readers(self) -> Iterator[None]:
        """Four who read pages and the API all the while; what they were answered, and the longest that it took."""
        over, lock = threading.Event(), threading.Lock()

        def read(path: str, cookie: str) -> None:
            while not over.is_set():
                began = time.perf_counter()
                status, _, _ = self.get(path, cookie)
                with lock:
                    self.statuses[path, status] += 1
                    self.slowest = max(self.slowest, time.perf_counter() - began)
                time.sleep(0.05)

        ways = [
            ("/courses", ""),
            ("/dashboard", self.learner.cookie),
            ("/api/courses", ""),
            ("/courses", self.learner.cookie),
        ]
        threads = [threading.Thread(target=read, args=way) for way in ways]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join(90)

    def cache(self) -> str:
        return str(json.loads(self.get("/health")[2])["cache"])

    def until(self, true: Callable[[], bool], seconds: float = BACK_S) -> float:
        """Ask for a page until it is so; after how many seconds that was."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < seconds, "it does not come about"
            self.get("/courses")
            time.sleep(0.1)
        return time.monotonic() - began


@pytest.fixture
def site(cluster: str) -> Iterator[Site]:
    name, valkey = "cv_valkey", Valkey()
    valkey.start()
    env = environment(
        make_database(cluster, name),
        CODYVERSE_ENV="development",
        PORT=str(free_port()),
        REDIS_URL=valkey.url,
        HEALTH_EVERY_S="1",
        LOG_LEVEL="CRITICAL",
    )
    app = create_app(settings_for(env["DATABASE_URL"], SECRET_KEY=env["SECRET_KEY"]))
    with app.app_context():
        hall = Hall(app, env, make_course(Plan(asks=1, teaches=0)))
        [learner] = hall.learners(1)
        hall.open()
        try:
            yield Site(hall, valkey, learner)
        finally:
            assert hall.process is not None
            stop(hall.process)
            valkey.kill()
            db.session.remove()
            db.engine.dispose()
            drop_database(cluster, name)


def counted_here(site: Site) -> bool:
    """Whether Valkey counts requests, and holds what was read of courses."""
    return site.valkey.keys("*moving-window*") > 0 and site.valkey.keys("cody:courses:*") > 0


def remaining(site: Site) -> int:
    return int(site.get("/courses")[1]["ratelimit-remaining"])


def come_and_go(site: Site, away: float) -> dict[str, object]:
    """Killed for so many seconds, back, silent (it takes connections and says nothing) for as many, talking again."""
    site.get("/courses")
    assert counted_here(site)
    with site.readers():
        time.sleep(1)
        site.valkey.kill()
        time.sleep(away)
        assert remaining(site) < 100_000, "each process counts for itself"
        offline = site.cache()
        site.valkey.start()
        counted = site.until(lambda: site.valkey.keys("*moving-window*") > 0)
        healthy = site.until(lambda: site.cache() == "operational")
        site.valkey.send(signal.SIGSTOP)
        time.sleep(away)
        silent = site.cache()
        site.valkey.send(signal.SIGCONT)
        again = site.until(lambda: site.cache() == "operational")
        site.valkey.client().flushall()
        site.until(lambda: site.valkey.keys("*moving-window*") > 0)
    assert {status for _, status in site.statuses} == {200}, site.statuses
    assert (offline, silent) == ("offline", "offline")
    return {
        "requests answered 200": sum(site.statuses.values()),
        "requests answered otherwise": 0,
        "the slowest of them": f"{site.slowest * 1000:.0f} ms",
        "counted in Valkey again after": f"{counted:.1f} s",
        "health said operational after": f"{counted + healthy:.1f} s, {again:.1f} s",
    }


def test_valkey_goes_and_comes(site: Site) -> None:
    come_and_go(site, 2)


@pytest.mark.drill
def test_valkey_goes_and_comes_for_longer(site: Site) -> None:
    """What `make drill` runs; the result is written down."""
    facts = come_and_go(site, 20)
    how = (
        "Four readers ask for pages and the API without a pause longer than 50 ms, on granian with one process. Valkey is killed (kill -9) for "
        "20 seconds, started again, then stopped for 20 seconds so that it takes connections and never answers, then let go on "
        "(tests/resilience/test_valkey.py)."
    )
    written("valkey-away", "Valkey gone, silent, and back", how, facts)
