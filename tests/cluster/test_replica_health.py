"""What operators are told of a replica that lags: by /health, /metrics, the dashboard, flask health and doctor."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from codyverse import doctor
from codyverse.accounts import sessions
from codyverse.core import heartbeat, replicas
from codyverse.core.database import db, unit_of_work
from codyverse.core.embedded.pidfile import PidFile
from codyverse.core.health import Monitor
from tests.api.client import token_for
from tests.cluster.pair import MOST_LAG, Pair, ask
from tests.factories import make_user
from tests.frozen import frozen
from tests.waiting import eventually

WRITE = "select pg_logical_emit_message(false, 'test', 'something more to replay')"


@contextmanager
def one_that_lags(pair: Pair) -> Iterator[None]:
    """Something is written that the replica does not show, until it is too old."""
    with pair.paused():
        ask(pair.primary, WRITE)
        assert eventually(lambda: not pair.is_in(), MOST_LAG + 5)
        yield
    assert eventually(pair.is_in)


def monitor(pair: Pair) -> Monitor:
    found: Monitor = pair.app.extensions["health"]
    return found


@pytest.fixture
def token() -> str:
    made = token_for(make_user(role="operator"), "admin")
    db.session.remove()
    return made


def health_of(pair: Pair, token: str = "") -> dict:
    """As it is found now."""
    monitor(pair).look()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = pair.app.test_client().get("/health", headers=headers)
    assert answer.status_code == 200, "all is served, by the primary"
    return dict(answer.get_json())


def lag_told(pair: Pair) -> tuple[float, float]:
    """What Prometheus would read: whether it is in use, and how far it is behind."""
    heartbeat.of(pair.app).beat()
    told = pair.app.test_client().get("/metrics", headers={"Accept": "application/json"}).get_json()
    found = {each["name"]: each["samples"] for each in told}
    [used], [lag] = found["cody_replica_in_use"], found["cody_replica_lag_seconds"]
    assert used["labels"] == lag["labels"] == {"replica": "replica-1"}
    return used["value"], lag["value"]


def test_health_is_degraded_while_a_replica_lags(
    pair: Pair, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "GRACE_SECONDS", 1.0)
    [replica] = health_of(pair, token)["details"]["replicas"]
    assert (replica["name"], replica["state"], replica["lagSeconds"] <= MOST_LAG) == (
        "replica-1",
        "level",
        True,
    )
    assert "fault" not in replica
    with one_that_lags(pair):
        assert eventually(lambda: health_of(pair)["overall"] == "degraded")
        told = health_of(pair, token)
        assert (told["database"], told["cache"]) == ("connected", "operational")
        assert told["details"]["replicas"][0]["state"] == "behind"
        assert told["details"]["replicas"][0]["lagSeconds"] >= MOST_LAG
        assert health_of(pair).keys() == {"overall", "database", "memory", "cache", "checkedAt", "uptime"}
    assert health_of(pair)["overall"] == "healthy"


def test_one_that_is_out_for_a_moment_changes_nothing(pair: Pair) -> None:
    with one_that_lags(pair):
        assert health_of(pair)["overall"] == "healthy"


def test_metrics_tell_whether_it_is_read_from_and_its_lag(pair: Pair) -> None:
    used, lag = lag_told(pair)
    assert (used, lag <= MOST_LAG) == (1, True)
    with one_that_lags(pair):
        used, lag = lag_told(pair)
        assert (used, lag >= MOST_LAG) == (0, True)


def test_the_commands_tell_it_too(pair: Pair) -> None:
    runner = pair.app.test_cli_runner()
    told = json.loads(runner.invoke(args=["health", "--json"]).stdout)
    assert told["overall"] == "healthy"
    assert [(each["name"], each["state"]) for each in told["replicas"]] == [("replica-1", "level")]
    with one_that_lags(pair):
        said = runner.invoke(args=["health"]).stdout
        assert re.search(r"replica-1  behind: \d+\.\d s and not read from", said)
        assert said.startswith("The site is degraded.\n")
        finding = next(each for each in doctor.examine() if each.name == "replicas")
        assert (finding.state, "replica-1 is behind: " in finding.says) == ("fault", True)
    finding = next(each for each in doctor.examine() if each.name == "replicas")
    assert finding.state == "good", finding


def test_the_dashboard_shows_it(pair: Pair) -> None:
    operator = make_user(role="operator")
    with unit_of_work():
        secret = sessions.open_session(operator, "")
    db.session.remove()
    browser = pair.app.test_client()
    with browser.session_transaction() as cookie:
        cookie["token"], cookie["person"] = secret, operator

    def shown() -> str:
        monitor(pair).look()
        page = browser.get("/admin/system")
        assert page.status_code == 200
        return " ".join(re.sub(r"<[^>]+>", " ", page.get_data(as_text=True)).split())

    assert re.search(r"Replica-1 level \d\.\d s behind at most", shown())
    with one_that_lags(pair):
        assert re.search(r"Replica-1 behind \d\.\d s and not read from", shown())


def test_while_the_primary_is_away_nobody_blames_the_replica(pair: Pair) -> None:
    """Its lag is not known then; the database's own word says what is wrong."""
    found = pair.replicas.all[0]
    watch = replicas.Watch(found, pair.replicas.watches[0]._sides["replica"], MOST_LAG, lambda: None)
    before = found.well_at
    watch._sides["primary"] = replicas.connector("postgresql://nobody@127.0.0.1:1/none", 1000, "test")
    watch.look()
    assert found.well_at > before


def test_one_that_hangs_is_left_out_and_lets_go_who_reads_from_it(pair: Pair) -> None:
    found = pair.replicas.all[0]
    server = PidFile.read(pair.replica.folder / "data")
    assert server is not None
    with found.engine.connect() as connection:
        connection.execute(text("select 1"))
        with frozen(server.pid), ThreadPoolExecutor(1) as pool:
            read = pool.submit(connection.execute, text("select 1"))
            assert isinstance(read.exception(60), DBAPIError)
            assert eventually(lambda: pair.replicas.now()[0].state == "away")
            assert pair.replicas.now()[0].fault.startswith(
                "no answer within"
            )  # and not that it closed what we closed
    assert eventually(pair.is_in)
