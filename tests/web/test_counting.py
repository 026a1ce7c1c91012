"""Counting requests in memory: many at once are all counted, what is over is forgotten, and the library uses ours."""

import threading
from concurrent.futures import ThreadPoolExecutor

from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from codyverse.http.counting import PatientMemory
from codyverse.http.limits import limiter

LIMIT = RateLimitItemPerMinute(50)


def test_the_library_makes_ours(app) -> None:
    assert isinstance(storage_from_string("memory://"), PatientMemory)
    assert isinstance(limiter.storage, PatientMemory)
    assert isinstance(limiter._fallback_storage, PatientMemory)


def test_of_many_at_once_as_many_as_may_get_through() -> None:
    counted = MovingWindowRateLimiter(PatientMemory())
    together = threading.Barrier(20)

    def ask(number: int) -> list[bool]:
        together.wait()
        return [counted.hit(LIMIT, f"who-{(number + each) % 4}") for each in range(40)]

    with ThreadPoolExecutor(20) as pool:
        answers = [each for found in pool.map(ask, range(20)) for each in found]
    assert (len(answers), sum(answers)) == (800, 4 * 50)


def test_what_is_over_is_forgotten_and_what_is_not_stays(time_machine) -> None:
    time_machine.move_to("2026-06-01 12:00", tick=False)
    memory = PatientMemory()
    counted = MovingWindowRateLimiter(memory)
    for number in range(300):
        assert counted.hit(LIMIT, f"early-{number}")
    time_machine.shift(40)
    counted.hit(LIMIT, "late")
    assert len(memory.events) == 301
    time_machine.shift(30)
    memory.sweep()
    assert len(memory.events) == 1
    assert counted.get_window_stats(LIMIT, "late").remaining == 49
    assert counted.get_window_stats(LIMIT, "early-1").remaining == 50


def test_no_thread_is_started_for_it() -> None:
    memory = PatientMemory()
    memory.timer.join(5)
    counted = MovingWindowRateLimiter(memory)
    for number in range(50):
        counted.hit(LIMIT, f"who-{number}")
        assert memory.timer.is_alive() is False
