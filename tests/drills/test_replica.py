"""The replica lags for 30 s, then dies: everybody reads what they wrote, and nobody gets a 5xx."""

import os
import signal
import time

import psycopg2
import pytest

from bench.clustered import Clustered
from codyverse.core.embedded.lease import Lease
from codyverse.core.embedded.pidfile import PidFile
from codyverse.core.embedded.replica import superuser_url
from tests.drills.crowd import Crowd
from tests.drills.told import written

LAG_SECONDS = 30
PEOPLE = 8


def ask(lease: Lease, query: str) -> list[tuple]:
    connection = psycopg2.connect(superuser_url(lease).replace("+psycopg2", "", 1))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()
    finally:
        connection.close()


def reads(lease: Lease) -> int:
    """Transactions that ended on the replica: only reads can."""
    [row] = ask(lease, "select xact_commit + xact_rollback from pg_stat_database where datname = 'codyverse'")
    return int(row[0])


@pytest.mark.drill
def test_a_replica_that_lags_and_then_dies(cluster_up: Clustered) -> None:
    with cluster_up.lease("replica") as replica, Crowd(cluster_up.url, PEOPLE) as crowd:
        time.sleep(8)
        ask(replica, "select pg_stat_force_next_flush()")
        before = reads(replica)
        time.sleep(10)
        level = reads(replica) - before
        ask(replica, "select pg_wal_replay_pause()")
        time.sleep(LAG_SECONDS)
        while_lagging = len(crowd.tally.failed), len(crowd.tally.stale)
        ask(replica, "select pg_wal_replay_resume()")
        time.sleep(8)
        state = PidFile.read(replica.folder / "data")
        assert state is not None
        os.kill(state.pid, signal.SIGKILL)
        time.sleep(15)
    tally = crowd.tally
    facts = {
        "people, half of whom write and read it back twice, as fast as they are answered": PEOPLE,
        "reads on the replica in ten seconds while it is level": level,
        "GET answered": tally.answered["GET"],
        "POST answered": tally.answered["POST"],
        "own writes read back right": tally.read_back,
        "own writes not read": len(tally.stale),
        f"of these while the replica stood still for {LAG_SECONDS} s": while_lagging[1],
        "5xx, or no answer": tally.kinds(),
        "slowest answer, seconds": f"{tally.slowest:.1f}",
    }
    how = (
        f"A cluster (`flask cluster up`). Its replica stops replaying for {LAG_SECONDS} s, goes on, and is then killed with kill -9 "
        "under load (its keeper starts it again). Every request is made on a connection of its own."
    )
    written("replica", "A replica that lags, then dies", how, facts)
    assert level > 100, "the replica was read from"
    assert (tally.stale, tally.failed) == ([], [])
    assert tally.read_back > 100
