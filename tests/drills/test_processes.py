"""kill -9 of every process but the primary, one after another, and a rolling restart, all under load."""

import time

import pytest

from bench.clustered import Clustered
from tests.drills.crowd import Crowd
from tests.drills.told import written

VICTIMS = ("web-1", "web-2", "nginx", "worker", "stream", "valkey")
PEOPLE = 6
IN_FLIGHT_SECONDS = 1.0
"""A request that fails within this time of a kill was under way when it happened."""


@pytest.mark.drill
def test_killing_any_process_loses_only_what_is_in_flight(cluster_up: Clustered) -> None:
    rows, kills = {}, []
    with Crowd(cluster_up.url, PEOPLE) as crowd:
        time.sleep(5)
        for victim in VICTIMS:
            old = cluster_up.pid(victim)
            failed = len(crowd.tally.failed)
            kills.append(time.monotonic())
            cluster_up.kill(victim)
            seconds = cluster_up.wait_for(victim, old)
            time.sleep(5)
            rows[f"failed after kill -9 of {victim}, which was back after {seconds:.1f} s"] = (
                len(crowd.tally.failed) - failed
            )
    tally = crowd.tally
    late = [
        what for at, what in tally.failed if not any(0 <= at - kill <= IN_FLIGHT_SECONDS for kill in kills)
    ]
    facts = {
        "people, half of whom also write, as fast as they are answered": PEOPLE,
        "requests answered": sum(tally.answered.values()),
        **rows,
        "all failed ones, by method and status": tally.kinds(),
        "of all failed ones: later than a second after a kill": len(late),
        "own writes read back right": tally.read_back,
        "own writes not read": len(tally.stale),
        "slowest answer, seconds": f"{tally.slowest:.1f}",
    }
    how = (
        "A cluster (`flask cluster up`) under load; one process after another is killed with kill -9, with all that it started "
        "(of nginx the main process). A POST that a process had taken when it was killed gets a 502 from nginx, which "
        "repeats only what is safe to repeat: that is what is in flight. Sent again it has its effect once."
    )
    written("kill-a-process", "kill -9 of one process after another", how, facts)
    assert late == []
    assert tally.stale == []
    assert tally.failures("GET") == 0
    assert len(tally.failed) <= PEOPLE * len(VICTIMS)


@pytest.mark.drill
def test_a_rolling_restart_loses_nothing(cluster_up: Clustered) -> None:
    before = cluster_up.state()["parts"]
    with Crowd(cluster_up.url, PEOPLE) as crowd:
        time.sleep(3)
        began = time.monotonic()
        done = cluster_up.flask("cluster", "restart")
        took = time.monotonic() - began
        time.sleep(3)
    after, tally = cluster_up.state()["parts"], crowd.tally
    facts = {
        "people, half of whom also write, as fast as they are answered": PEOPLE,
        "seconds that the restart took": f"{took:.0f}",
        "GET answered": tally.answered["GET"],
        "POST answered": tally.answered["POST"],
        "failed": tally.kinds(),
        "own writes not read": len(tally.stale),
        "slowest answer, seconds": f"{tally.slowest:.1f}",
    }
    how = "A cluster (`flask cluster up`) under load; `flask cluster restart` replaces both web processes, streams and worker."
    written("rolling-restart", "A rolling restart under load", how, facts)
    assert done.returncode == 0, done.stderr
    for name in ("web-1", "web-2", "stream", "worker"):
        assert after[name]["pid"] != before[name]["pid"], name
    assert (tally.failed, tally.stale) == ([], [])
    assert tally.answered["POST"] > 20
