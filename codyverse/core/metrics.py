"""Numbers for machines that watch, in Prometheus' format. With several processes they add up in PROMETHEUS_MULTIPROC_DIR.

prometheus_client reads that variable when it is imported, so `flask serve` and the Procfile set it for the processes
they start.
"""

import os
from collections import Counter as Counting
from typing import Any

from prometheus_client import REGISTRY as OWN
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

requests = Counter("cody_requests", "Requests answered.", ["endpoint", "method", "status"])
request_seconds = Histogram("cody_request_seconds", "Time to answer.", ["endpoint"], buckets=LATENCY)
statements = Counter("cody_db_statements", "Statements sent to the database.")
refused = Counter(
    "cody_requests_refused", "Requests that were told at once to come again, for too many waited."
)
slow_statements = Counter("cody_db_slow_statements", "Statements that took longer than the settings allow.")
faults = Counter("cody_faults", "What failed, by category.", ["category"])
cache_reads = Counter("cody_cache_reads", "Looks into the cache.", ["lifetime", "result"])
reads = Counter("cody_reads", "GET requests by the database that they read from.", ["source"])
memory_bytes = Gauge("cody_memory_bytes", "Memory of the web processes.", multiprocess_mode="livesum")
pool_in_use = Gauge("cody_db_pool_in_use", "Database connections in use.", multiprocess_mode="livesum")


def registry() -> CollectorRegistry:
    """All numbers: of all processes if they share a folder, else of this one."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return OWN
    shared = CollectorRegistry()
    multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared


def cache_looks() -> Counting[tuple[str, bool]] | None:
    """Looks into the cache by lifetime and whether they hit, of all processes; None where they do not add up."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return None
    looks: Counting[tuple[str, bool]] = Counting()
    for family in registry().collect():
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
