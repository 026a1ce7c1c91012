"""Thousands of learners on real journeys, by locust, against a cluster on this machine.

python -m bench.journeys [--learners 2000] [--seconds 180]      measures and prints; writes no page
"""

import argparse
import csv
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.clustered import clustered
from bench.report import Report, table
from bench.serving import ROOT

LEARNERS = 2000
SECONDS = 240
ROWS = 24
"""Of the table; the rest are rare."""


@dataclass(frozen=True)
class Load:
    """What locust counted: requests, failures, its table, and the share of one core that it took itself."""

    requests: int
    failures: int
    rate: float
    rows: tuple[dict[str, str], ...]
    errors: tuple[str, ...]
    generator_cpu: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def drive(url: str, learners: int, seconds: float, *, spawn_rate: float, pause: tuple[float, float]) -> Load:
    """So many learners for so long, from the first one on; waits for the end."""
    with tempfile.TemporaryDirectory() as folder:
        process = start(url, learners, seconds, Path(folder), spawn_rate=spawn_rate, pause=pause)
        watched, began, cpu = psutil.Process(process.pid), time.monotonic(), 0.0
        while process.poll() is None:
            try:
                cpu = sum(watched.cpu_times()[:2])
            except psutil.NoSuchProcess:
                break
            time.sleep(0.5)
        process.wait()
        return counted(Path(folder), cpu / (time.monotonic() - began))


def start(
    url: str, learners: int, seconds: float, folder: Path, *, spawn_rate: float, pause: tuple[float, float]
) -> subprocess.Popen[bytes]:
    """locust in the background; its tables go to the folder."""
    words = [
        "-f",
        "bench/locustfile.py",
        "--host",
        url,
        "--headless",
        "--only-summary",
        "--loglevel",
        "WARNING",
    ]
    words += ["--users", str(learners), "--spawn-rate", str(spawn_rate), "--run-time", f"{seconds:.0f}s"]
    words += ["--csv", str(folder / "load"), "--stop-timeout", "20"]
    env = dict(os.environ) | {"PAUSE_FROM": str(pause[0]), "PAUSE_TO": str(pause[1])}
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "locust", *words], cwd=ROOT, env=env, stdout=said, stderr=said
        )


def counted(folder: Path, generator_cpu: float) -> Load:
    """Locust's tables, read."""
    with (folder / "load_stats.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (folder / "load_failures.csv").open() as file:
        errors = [
            f"{row['Occurrences']} × {row['Method']} {row['Name']}: {row['Error']}"
            for row in csv.DictReader(file)
        ]
    whole = next(row for row in rows if row["Name"] == "Aggregated")
    each = tuple(
        sorted((row for row in rows if row is not whole), key=lambda row: -int(row["Request Count"]))
    )
    return Load(
        int(whole["Request Count"]),
        int(whole["Failure Count"]),
        float(whole["Requests/s"]),
        each,
        tuple(errors),
        generator_cpu,
    )


def measure(learners: int = LEARNERS, seconds: float = SECONDS) -> Report:
    """A cluster, and the learners on it; the page for docs/measured."""
    with clustered(free_port(), STREAMS_MAX="5000") as cluster:
        load = drive(cluster.url, learners, seconds, spawn_rate=learners / (seconds / 2), pause=(10, 30))
    missed = [f"{load.failures} of {load.requests} requests failed"] if load.failures else []
    head = ["Request", "how often", "failed", "median ms", "95 % ms", "99 % ms"]
    rows = [
        [
            f"{row['Type']} {row['Name']}",
            row["Request Count"],
            row["Failure Count"],
            row["Median Response Time"],
            row["95%"],
            row["99%"],
        ]
        for row in load.rows[:ROWS]
    ]
    text = f"""
{learners:,} learners sign up over {seconds / 2:.0f} s and are there until second {seconds:.0f}, each with 10 to 30 seconds for a page: they look
around, do lessons step by step as a browser without scripts does, and read their XP back after each. The cluster is that of `flask cluster
up` (two web processes, nginx, Valkey, primary, replica, worker, streams) on the same machine as the generator, which took
{load.generator_cpu:.0%} of one core. {load.requests:,} requests ({load.rate:.0f} a second on average), {load.failures} failed.

{table(head, rows)}

{chr(10).join(f"- {each}" for each in load.errors)}
"""
    return Report("Thousands of learners on their journeys", text, tuple(missed))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure journeys, and print what comes out.")
    parser.add_argument("--learners", type=int, default=LEARNERS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    given = parser.parse_args()
    print(measure(given.learners, given.seconds).text)


if __name__ == "__main__":
    main()
