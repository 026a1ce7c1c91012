"""What a process counts: exact sums, percentiles within their cells, nothing lost between threads or when given back."""

import math
import random
import threading

import pytest

from codyverse.core import recorder as module
from codyverse.core.recorder import BOUNDS, CELLS, Figure, Key, Recorder, added, percentile


def cells_of(times: list[float]) -> list[int]:
    counted = Recorder()
    for seconds in times:
        counted.timed("requests", "x", "200", seconds)
    return added(counted.take().values()).cells or []


def test_threads_lose_nothing() -> None:
    counted = Recorder()

    def work() -> None:
        for _ in range(2000):
            counted.timed("requests", "page", "200", 0.001)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    whole = added(counted.take().values())
    assert whole.number == 16_000
    assert sum(whole.cells or ()) == 16_000
    assert math.isclose(whole.total, 16.0)
    assert counted.take() == {}


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_percentile_is_off_by_less_than_a_cell(share: float) -> None:
    dice = random.Random(3)
    times = sorted(dice.lognormvariate(-4, 1) for _ in range(5000))
    truth = times[int(share * len(times))]
    found = percentile(cells_of(times), share)
    assert found is not None
    assert truth / math.sqrt(2) <= found <= truth * math.sqrt(2)


def test_nothing_has_no_percentile() -> None:
    assert percentile(None, 0.5) is None
    assert percentile([0] * CELLS, 0.5) is None


def test_what_takes_longer_than_all_bounds_is_counted_too() -> None:
    cells = cells_of([BOUNDS[-1] * 100])
    assert cells[-1] == 1
    assert (percentile(cells, 0.5) or 0) > BOUNDS[-1]


def test_what_is_given_back_adds_up_with_what_came_since() -> None:
    counted = Recorder()
    counted.timed("jobs", "mails", "ok", 2.0)
    taken = counted.take()
    counted.timed("jobs", "mails", "ok", 3.0)
    counted.give_back(taken)
    [figure] = [added(counted.take().values())]
    assert (figure.number, figure.total, figure.peak) == (2, 5.0, 3.0)


def test_a_database_that_stays_away_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    counted = Recorder()
    for number in range(10):
        counted.counted("requests", f"endpoint-{number}")
    taken = counted.take()
    assert len(taken) == 3
    counted.give_back(taken | {Key(1, "more", "", ""): Figure(1)})
    assert len(counted.take()) == 3
