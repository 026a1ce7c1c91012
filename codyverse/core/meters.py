"""The numbers themselves. Loaded by `metrics`, through which everybody reaches them: prometheus_client decides when it is
imported whether processes add up, by PROMETHEUS_MULTIPROC_DIR."""

from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram

TEXT = CONTENT_TYPE_LATEST
LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
QUEUE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
SUM: dict[str, Any] = {"multiprocess_mode": "livesum"}

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
replica_in_use = Gauge(
    "cody_replica_in_use",
    "Whether reads may go to this replica: 1, or 0 in some process.",
    ["replica"],
    multiprocess_mode="livemin",
)
replica_lag = Gauge(
    "cody_replica_lag_seconds",
    "Seconds that this replica is behind at most; without end while it is away.",
    ["replica"],
    multiprocess_mode="livemax",
)
