"""flask health and flask stats: how the site is, and what is going on in it, for a terminal and for scripts."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from codyverse.cli.faults import speaks_plainly
from codyverse.core import heartbeat, job_runs, replicas, series
from codyverse.core.clock import now
from codyverse.core.health import Health, Monitor, memory_of
from codyverse.core.recorder import added, percentile
from codyverse.core.replicas import ReplicaNow
from codyverse.insights import queries as insights

JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.command("health")
@JSON
@with_appcontext
@speaks_plainly
def health(as_json: bool) -> None:
    """Look at the database, the cache, the replicas and the processes now; exit with 1 when it is critical.

    Healthy means that all of it is well and somebody serves it; degraded, that it works less well than it could, or that
    no web process was heard of.

    Memory is that of the process that uses most of its limit, among those that were heard of lately.

    \b
    Example: flask health --json
    """
    monitor: Monitor = current_app.extensions["health"]
    found = monitor.look()
    processes = heartbeat.instances() if found.database == "connected" else ()
    copies = set_up.look_now() if (set_up := replicas.replicas()) and found.database == "connected" else ()
    told = _told(found, processes, copies)
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo(f"The site is {told['overall']}.")
        click.echo(f"  database  {told['database']} ({found.database_ms} ms)")
        click.echo(f"  memory    {told['memory']}")
        click.echo(f"  cache     {told['cache']}")
        for copy in copies:
            click.echo(f"  {copy.name:<8}  {copy.state}: {copy.more}")
        for each in processes:
            state = "silent" if each.silent else "alive"
            click.echo(
                f"  {each.kind:<8}  {each.name}: {state}, {each.memory // 2**20} MB, CPU {each.cpu:.0%}"
            )
        for line in _missing(processes) if found.database == "connected" else ():
            click.echo(f"  {line}")
    if told["overall"] == "critical":
        raise SystemExit(1)


def _beats() -> bool:
    """Whether processes write down that they are there."""
    return bool(current_app.extensions["settings"].metrics_every_s)


def _missing(processes: tuple[heartbeat.InstanceNow, ...]) -> Iterator[str]:
    """What should run and was not heard of, and how to start it."""
    if not _beats():
        yield "Which processes run is not written down, for METRICS_EVERY_S is 0."
        return
    alive = {each.kind for each in processes if not each.silent}
    if "web" not in alive:
        yield "No web process was heard of in the last minutes: start one with `flask serve`. A new one is heard of from its first request on."
    if "worker" not in alive:
        yield "No worker was heard of in the last minutes: start one with `flask worker`."


def _told(
    found: Health, processes: tuple[heartbeat.InstanceNow, ...], copies: tuple[ReplicaNow, ...]
) -> dict[str, Any]:
    serves = not _beats() or any(each.kind == "web" and not each.silent for each in processes)
    fullest = max((each.memory / each.memory_limit for each in processes if not each.silent), default=0.0)
    memory = memory_of(fullest)
    critical = found.database != "connected" or memory == "critical"
    well = serves and (memory, found.cache) == ("optimal", "operational")
    well = well and all(each.state == "level" for each in copies)
    return {
        "overall": "critical" if critical else "healthy" if well else "degraded",
        "database": found.database,
        "memory": memory,
        "cache": found.cache,
        "checkedAt": found.checked_at.isoformat(),
        "replicas": [
            {"name": each.name, "state": each.state, "lagSeconds": each.lag, "fault": each.fault or None}
            for each in copies
        ],
        "processes": [
            {
                "name": each.name,
                "kind": each.kind,
                "silent": each.silent,
                "memoryBytes": each.memory,
                "cpu": round(each.cpu, 3),
                "busy": round(each.busy, 3),
            }
            for each in processes
        ],
    }


@click.command("stats")
@JSON
@with_appcontext
@speaks_plainly
def stats(as_json: bool) -> None:
    """People, lessons, what was learned, what was asked of the site in the last hour, and jobs that fail.

    \b
    Example: flask stats
    """
    told = _stats()
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for part, values in told.items():
        click.echo(f"{part}")
        for name, value in values.items():
            click.echo(f"  {name:<24}{'–' if value is None else value}")


def _stats() -> dict[str, dict[str, Any]]:
    at = now()
    site = insights.stats(at.date())
    days = insights.days(at, 28)
    points = series.read("minute", at - timedelta(minutes=59), ["requests"])
    whole = added(point.figure for point in points)
    runs = job_runs.last_runs().values()
    p95 = percentile(whole.cells, 0.95)
    return {
        "site": {"people": site.people, "courses": site.courses, "lessons": site.lessons},
        "learning": {
            "activeToday": site.active_today,
            "activeIn7Days": days[-1].active_7 if days else None,
            "activeIn28Days": days[-1].active_28 if days else None,
            "lessonsIn28Days": sum(day.lessons for day in days),
        },
        "lastHour": {
            "requests": whole.number,
            "failed": sum(point.figure.number for point in points if point.outcome.startswith("5")),
            "p95Milliseconds": None if p95 is None else round(p95 * 1000, 1),
        },
        "jobs": {
            "failing": ", ".join(run.job for run in runs if run.failing) or None,
            "lastRun": max((run.started_at.isoformat() for run in runs), default=None),
        },
    }
