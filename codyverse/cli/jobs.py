"""flask jobs and flask worker: what runs by itself, by hand and by the clock."""

import json
import logging
import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC
from types import FrameType

import click
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from codyverse import jobs as registry
from codyverse.cli.faults import speaks_plainly
from codyverse.core import clock, heartbeat, job_runs, processes
from codyverse.core.errors import Conflict, DomainError
from codyverse.core.resilience import again
from codyverse.core.sqlstates import TIMED_OUT, code_of, is_away

log = logging.getLogger(__name__)
jobs = AppGroup("jobs", help="What runs by itself: list it, or run it now.")
AT_ONCE = 2
"""Jobs that one worker runs at the same time."""
LATE_SECONDS = 300
LOOK_SECONDS = 2
"""So often a worker looks whether somebody waits for a job."""


@jobs.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@speaks_plainly
def list_jobs(as_json: bool) -> None:
    """List the jobs with their schedules (crontab's five fields, UTC), and how their last runs went.

    \b
    Example: flask jobs list
    """
    runs = job_runs.last_runs()
    if as_json:
        told = [
            {
                "name": each.name,
                "schedule": each.schedule,
                "does": each.does,
                "lastRun": _as_json(runs.get(each.name)),
            }
            for each in registry.JOBS
        ]
        click.echo(json.dumps(told, indent=2))
        return
    widest = max(len(each.name) for each in registry.JOBS)
    for each in registry.JOBS:
        click.echo(f"{each.name:<{widest}}  {each.schedule:<13}  {each.does}")
        click.echo(f"{'':<{widest}}  {_in_words(runs.get(each.name))}")


def _as_json(run: job_runs.LastRun | None) -> dict[str, object] | None:
    if run is None:
        return None
    return {
        "startedAt": run.started_at.isoformat(),
        "seconds": round(run.seconds, 3),
        "said": run.said,
        "fault": run.fault,
        "runs": run.runs,
        "failures": run.failures,
        "failing": run.failing,
    }


def _in_words(run: job_runs.LastRun | None) -> str:
    if run is None:
        return "never ran"
    when = f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC, {run.seconds:.2f} s"
    if run.fault:
        return f"last {when}: FAILED ({run.fault}); {run.failing} in a row, {run.failures} of {run.runs} runs"
    return f"last {when}: {run.said or 'nothing was due'} ({run.runs} runs, {run.failures} failed)"


@jobs.command("run")
@click.argument("name")
@speaks_plainly
def run(name: str) -> None:
    """Do now what is due of the job NAME. Again is harmless; while it runs elsewhere it is refused.

    \b
    Example: flask jobs run digests
    """
    click.echo(registry.run(name) or "Nothing was due.")


@click.command("worker")
@click.option("--beside-server", type=int, metavar="PID", hidden=True, help="End with this parent process.")
@with_appcontext
@speaks_plainly
def worker(beside_server: int | None) -> None:
    """Run the scheduled jobs until Ctrl-C or SIGTERM. Several workers are fine: each job runs in one of them only.

    A job that is running when the worker is asked to stop is finished first.

    \b
    Example: flask worker
    """
    if beside_server:
        processes.end_with_parent()
        if os.getppid() != beside_server:  # it ended while this process was starting
            return
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    scheduler = make_scheduler(current_app._get_current_object())  # type: ignore[attr-defined]
    scheduler.start()
    heart = heartbeat.of(current_app)
    heart.kind = "worker"
    heart.begin()
    if not beside_server:
        click.echo(f"The worker runs {len(registry.JOBS)} jobs. Ctrl-C stops it.")
    while not stop.wait(LOOK_SECONDS):
        run_what_is_waited_for(current_app._get_current_object())  # type: ignore[attr-defined]
    scheduler.shutdown()
    heart.end()


def make_scheduler(app: Flask) -> BackgroundScheduler:
    """All jobs at their times, and once at the start. One that is late runs once, not as often as it was missed."""
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(AT_ONCE)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": LATE_SECONDS},
        timezone=UTC,
    )
    for each in registry.JOBS:
        trigger = CronTrigger.from_crontab(each.schedule, timezone=UTC)
        scheduler.add_job(_run_in_context, trigger, (app, each.name), id=each.name, next_run_time=clock.now())
    return scheduler


def run_what_is_waited_for(app: Flask) -> None:
    """Run the jobs that somebody waits for. One that runs already, here or in another worker, needs no help."""
    for each in registry.JOBS:
        if each.waits is not None and _is_waited_for(app, each.waits):
            _run_in_context(app, each.name, beside_others=True)


def _is_waited_for(app: Flask, waits: Callable[[], bool]) -> bool:
    """While the database is away nobody is: the jobs of the schedule tell of that often enough."""
    with app.app_context():
        try:
            return waits()
        except SQLAlchemyError:
            return False
        except Exception:
            log.exception("whether a job is waited for cannot be told")
            return False


def _run_in_context(app: Flask, name: str, *, beside_others: bool = False) -> None:
    """One run; again after a passing fault of the database, for running twice is harmless. What else goes wrong is logged,
    and the next run comes at its time."""
    with app.app_context():
        try:
            again(lambda: registry.run(name))
        except DomainError as fault:
            level = logging.DEBUG if beside_others and isinstance(fault, Conflict) else logging.WARNING
            log.log(level, "job %s: %s", name, fault.message)
        except SQLAlchemyError as fault:
            if not is_away(fault) or code_of(fault) in TIMED_OUT:
                log.exception("job %s failed", name)
                return
            why = str(getattr(fault, "orig", fault)).strip().partition("\n")[0]
            log.warning("job %s waits for its next time, for the database does not answer: %s", name, why)
        except Exception:
            log.exception("job %s failed", name)
