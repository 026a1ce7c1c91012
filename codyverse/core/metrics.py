"""Numbers for machines that watch, in Prometheus' format. With several processes they add up in PROMETHEUS_MULTIPROC_DIR.

prometheus_client reads that variable when it is imported, so it has to be set where the processes are started. What
follows from a process (memory, pool, threads) is set by its heartbeat, a few seconds old at most.
"""

import os
import re
from collections import Counter as Counting
from pathlib import Path
from typing import Any

import psutil
from prometheus_client import REGISTRY as OWN
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
QUEUE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
SUM: dict[str, Any] = {"multiprocess_mode": "livesum"}
_OF_PROCESS = re.compile(r"gauge_live[a-z]*_(\d+)\.db")

requests = Counter("cody_requests", "Requests answered.", ["endpoint", "method", "status"])
request_seconds = Histogram("cody_request_seconds", "Time to answer.", ["endpoint"], buckets=LATENCY)
queue_seconds = Histogram("cody_queue_seconds", "Time a request waited for a thread.", buckets=QUEUE)
statements = Counter("cody_db_statements", "Statements sent to the database.")
statement_seconds = Counter("cody_db_statement_seconds", "Time spent waiting for the database.")
refused = Counter(
    "cody_requests_refused", "Requests that were told at once to come again, for too many waited."
)
slow_statements = Counter("cody_db_slow_statements", "Statements that took longer than the settings allow.")
faults = Counter("cody_faults", "What failed, by category.", ["category"])
cache_reads = Counter("cody_cache_reads", "Looks into the cache.", ["lifetime", "result"])
job_runs = Counter("cody_job_runs", "Runs of jobs.", ["job", "outcome"])
job_seconds = Counter("cody_job_seconds", "Time that jobs took.", ["job"])
memory_bytes = Gauge("cody_memory_bytes", "Memory of the processes.", **SUM)
cpu_seconds = Gauge("cody_cpu_seconds", "CPU time that the living processes have used.", **SUM)
pool_in_use = Gauge("cody_db_pool_in_use", "Database connections in use.", **SUM)
pool_idle = Gauge("cody_db_pool_idle", "Database connections that wait for use.", **SUM)
pool_most = Gauge("cody_db_pool_most", "Database connections there may be at most.", **SUM)
breaker = Gauge(
    "cody_db_breaker",
    "Breaker before the database: 0 closed, 1 half-open, 2 open.",
    multiprocess_mode="livemax",
)
streams = Gauge("cody_streams", "Open streams.", **SUM)
threads = Gauge("cody_threads", "Threads that answer requests.", **SUM)
threads_busy = Gauge(
    "cody_threads_busy", "Threads busy on average; its share of cody_threads is for scaling.", **SUM
)
reads = Counter("cody_reads", "GET requests by the database that they read from.", ["source"])


def registry() -> CollectorRegistry:
    """All numbers: of all processes if they share a folder, else of this one."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return OWN
    _forget_the_dead(Path(folder))
    shared = CollectorRegistry()
    multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


def _forget_the_dead(folder: Path) -> None:
    """What only living processes have (memory, threads) ends with them, however they ended."""
    for file in folder.glob("gauge_live*.db"):
        found = _OF_PROCESS.fullmatch(file.name)
        if found and not psutil.pid_exists(int(found[1])):
            file.unlink(missing_ok=True)


def show_breaker(state: str) -> None:
    """The breaker has come to stand so."""
    breaker.set(("closed", "half-open", "open").index(state))


def cache_looks(folder: Path | None = None) -> Counting[tuple[str, bool]] | None:
    """Looks into the cache by lifetime and whether they hit, of all processes; None where they do not add up.

    `folder` is where they add up, for somebody who is none of them; without it PROMETHEUS_MULTIPROC_DIR counts.
    """
    if folder is None and not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return None
    shared = CollectorRegistry()
    multiprocess.MultiProcessCollector(shared, path=str(folder) if folder else None)  # type: ignore[no-untyped-call]
    looks: Counting[tuple[str, bool]] = Counting()
    for family in shared.collect():
        for each in family.samples if family.name == "cody_cache_reads" else ():
            looks[each.labels["lifetime"], each.labels["result"] == "hit"] += int(each.value)
    return looks


def as_text() -> bytes:
    """In Prometheus' text format."""
    return generate_latest(registry())


def as_json() -> list[dict[str, Any]]:
    """The same as values: each with its name, labels and value, grouped by metric."""
    return [
        {
            "name": family.name,
            "help": family.documentation,
            "type": family.type,
            "samples": [
                {"name": each.name, "labels": dict(each.labels), "value": each.value}
                for each in family.samples
            ],
        }
        for family in registry().collect()
        if family.name.startswith("cody_")
    ]
