"""flask health, stats and jobs list: what they say is what is, and scripts can tell by the exit status."""

import json
import socket

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import text

from codyverse import create_app, jobs
from codyverse.core import heartbeat, job_runs
from codyverse.core.database import db, session
from codyverse.core.errors import Conflict, DomainError
from tests.conftest import TEMPLATE, named, settings_for
from tests.domains.study import Plan, do_lesson, make_course
from tests.factories import make_user
from tests.watching import an_hour_of_figures, processes_and_runs


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def test_health_of_a_site_that_is_well(runner: FlaskCliRunner) -> None:
    done = runner.invoke(args=["health", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["overall"], told["database"], told["memory"], told["cache"]) == (
        "healthy",
        "connected",
        "optimal",
        "operational",
    )
    assert "The site is healthy." in runner.invoke(args=["health"]).output


def test_health_says_what_was_not_heard_of(
    runner: FlaskCliRunner, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = runner.invoke(args=["health"]).output
    assert "Which processes run is not written down, for METRICS_EVERY_S is 0." in said
    settings = app.extensions["settings"].model_copy(update={"metrics_every_s": 10})
    monkeypatch.setitem(app.extensions, "settings", settings)
    said = runner.invoke(args=["health"]).output
    assert said.startswith("The site is degraded.\n")
    assert "No web process was heard of" in said
    assert "No worker was heard of" in said
    for kind in ("web", "worker"):
        heart = heartbeat.Heartbeat(app, 10, 4, 20, 2**40)
        heart.kind = kind
        heart.beat()
        session.execute(text("update instances set name = kind"))
    said = runner.invoke(args=["health"]).output
    assert (said.startswith("The site is healthy.\n"), "heard of" in said) == (True, False), said


def test_health_is_critical_without_a_database() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        broken = create_app(settings_for(f"postgresql://nobody@127.0.0.1:{port}/none"))
        done = broken.test_cli_runner().invoke(args=["health", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["overall"] == "critical"


def test_health_names_a_replica_that_is_away(cluster: str) -> None:
    here, urls = named(cluster, TEMPLATE), "postgresql://nobody@127.0.0.1:9/none"
    made = create_app(settings_for(here, REPLICA_URLS=urls, REDIS_URL="redis://127.0.0.1:9/0"))
    runner = made.test_cli_runner()
    done = runner.invoke(args=["health", "--json"])
    told = json.loads(done.stdout)
    [replica] = told["replicas"]
    assert (told["overall"], replica["name"], replica["state"]) == ("degraded", "replica-1", "away")
    assert "refused" in replica["fault"]
    assert "  replica-1  away: " in runner.invoke(args=["health"]).stdout
    made.extensions["replicas"].close()
    with made.app_context():
        db.engine.dispose()


def test_the_fullest_process_decides_about_memory(runner: FlaskCliRunner, app: Flask) -> None:
    heart = heartbeat.Heartbeat(app, 10, 4, 20, 10 * 2**20)
    heart.beat()
    done = runner.invoke(args=["health", "--json"])
    told = json.loads(done.output)
    assert (done.exit_code, told["memory"], told["overall"]) == (1, "critical", "critical")
    assert told["processes"][0]["name"] == heart.name


def test_stats_tell_what_is(runner: FlaskCliRunner) -> None:
    [lesson] = make_course(Plan(asks=2))
    do_lesson(make_user(), lesson)
    an_hour_of_figures()
    processes_and_runs()
    told = json.loads(runner.invoke(args=["stats", "--json"]).output)
    assert told["site"] == {"people": 1, "courses": 1, "lessons": 1}
    assert told["learning"]["lessonsIn28Days"] == 1
    assert told["lastHour"]["requests"] > 1000
    assert told["jobs"]["failing"] == "webhooks"
    assert "lastHour" in runner.invoke(args=["stats"]).output


def test_jobs_list_tells_how_they_went(runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise Conflict("It is stuck.")

    jobs.run("erase")
    monkeypatch.setattr(jobs, "JOBS", (*jobs.JOBS, jobs.Job("broken", "* * * * *", "Fails.", broken)))
    for _ in range(2):
        with pytest.raises(DomainError):
            jobs.run("broken")
    listed = {
        each["name"]: each["lastRun"]
        for each in json.loads(runner.invoke(args=["jobs", "list", "--json"]).output)
    }
    assert listed["erase"]["fault"] == ""
    assert listed["erase"]["runs"] == 1
    assert listed["mails"] is None
    assert (listed["broken"]["fault"], listed["broken"]["failing"]) == ("It is stuck.", 2)
    text = runner.invoke(args=["jobs", "list"]).output
    assert "never ran" in text
    assert "FAILED (It is stuck.); 2 in a row" in text


def test_a_failure_tells_no_more_than_its_kind(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise ValueError("ada@example.org")

    monkeypatch.setattr(jobs, "JOBS", (jobs.Job("broken", "* * * * *", "Fails.", broken),))
    with pytest.raises(ValueError, match="ada"):
        jobs.run("broken")
    assert job_runs.last_runs()["broken"].fault == "ValueError"
    monkeypatch.setattr(jobs, "JOBS", (jobs.Job("broken", "* * * * *", "Mended.", lambda: "Done."),))
    jobs.run("broken")
    run = job_runs.last_runs()["broken"]
    assert (run.said, run.fault, run.failing, run.failures, run.runs) == ("Done.", "", 0, 1, 2)


@pytest.mark.parametrize("word", ["upgrade", "current"])
def test_migrations_without_a_database_say_so(word: str) -> None:
    bare = create_app(settings_for("postgresql://nobody@127.0.0.1:9/none"))
    done = bare.test_cli_runner().invoke(args=["db", word])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: The database does not answer: ")
    assert "Traceback" not in done.stderr
