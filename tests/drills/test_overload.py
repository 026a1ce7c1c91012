"""More load than a web process can carry: what is served in time stays, the rest is told at once to come again."""

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bench import serving
from bench.report import table
from bench.serving import ROOT, Server, get, prepare, served, sign_in
from codyverse.core.embedded import throwaway
from codyverse.http.admission import threads_for
from tests.resilience.measured import written

pytestmark = pytest.mark.drill
LEARNERS, SECONDS, ROUNDS = 20, 4.0, 5
LOADS = (1, 2, 3)
"""Times the peak, as requests that are due at their moments, whether the earlier ones are answered or not."""
DEADLINE_S = 2.0
THREADS, QUEUE = 4, 60
WORDS = ["--interface", "wsgi", "app:app", "--blocking-threads", str(threads_for(THREADS, QUEUE))]
SERVER_CORE, GENERATOR_CORE = 0, 1


@dataclass
class Place:
    """A server on one core; the generator has the other."""

    server: Server
    requests: list[str]

    def run(self, rate: float, lines: int = 16) -> dict[str, Any]:
        """One measurement, with the processor time that a request cost the server."""
        told = {
            "port": self.server.port,
            "rate": rate,
            "lines": lines,
            "seconds": SECONDS,
            "deadline": DEADLINE_S,
            "requests": self.requests,
        }
        command = ["taskset", "-c", str(GENERATOR_CORE), sys.executable, "-m", "tests.drills.generator"]
        before = self.server.cpu()
        said = subprocess.run(
            [*command, json.dumps(told)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        found: dict[str, Any] = json.loads(said.stdout)
        used = self.server.cpu() - before
        return found | {
            "good_per_cpu_s": round(found["goodput"] * SECONDS / used, 1),
            "server_cpu": round(used / SECONDS, 2),
        }


@pytest.fixture
def place() -> Iterator[Place]:
    with throwaway() as url:
        prepare(url, LEARNERS)
        serving.SETTINGS["WEB_QUEUE"] = str(QUEUE)
        with served(url, WORDS) as server:

            async def cookies() -> list[str]:
                return [await sign_in(server.port, number) for number in range(LEARNERS)]

            requests = [get("/dashboard", cookie) for cookie in asyncio.run(cookies())]
            for process in server._processes():
                process.cpu_affinity([SERVER_CORE])
            made = Place(server, requests)
            made.run(0)
            yield made


def middle(runs: list[dict[str, Any]], what: str) -> float:
    return statistics.median(run[what] for run in runs)


def test_twice_and_three_times_the_peak(place: Place) -> None:
    """Rounds of all loads, one after the other, so that a neighbour on the machine disturbs all of them alike."""
    found: dict[str, list[dict[str, Any]]] = {"peak": []} | {f"{load} ×": [] for load in LOADS}
    for _ in range(ROUNDS):
        peak = place.run(0)
        found["peak"].append(peak)
        for load in LOADS:
            found[f"{load} ×"].append(place.run(load * peak["goodput"]))
    everything = [run for runs in found.values() for run in runs]
    assert {status for run in everything for status in run["statuses"]} <= {"200", "503"}
    starved = [run for run in everything if run["cpu_share"] > 0.8]
    assert not starved, "the generator itself was too busy: this run says nothing"
    ratios = {
        name: statistics.median(
            run["goodput"] / peak["goodput"] for run, peak in zip(runs, found["peak"], strict=True)
        )
        for name, runs in found.items()
    }
    written("overload", "More load than one web process can carry", HOW, {}, rows(found, ratios))
    assert ratios["2 ×"] >= 0.8, ratios
    assert ratios["3 ×"] >= 0.8, ratios
    for load in ("2 ×", "3 ×"):
        assert sum(run["statuses"].get("503", 0) for run in found[load]) > 0
        assert middle(found[load], "refused_p50_ms") < middle(found[load], "p50_ms")


HOW = (
    f"The dashboard of {LEARNERS} signed-in learners on granian, one process, {THREADS} threads that work and {QUEUE} that wait, on one core; the "
    "generator on the other. The peak is a closed loop of 16 lines; the loads are open loops of so many times its goodput, whether "
    f"the server keeps up or not. Good is a 200 within {DEADLINE_S:.0f} s of the moment at which the request was due. Medians of "
    f"{ROUNDS} rounds of {SECONDS:.0f} s, one load after the other in each (tests/drills/test_overload.py)."
)


def rows(found: dict[str, list[dict[str, Any]]], ratios: dict[str, float]) -> str:
    head = (
        "Load",
        "Good a second",
        "of the peak (bar: 80 %)",
        "Good per second of the server's processor",
        "served: p50, p99 ms",
        "refused",
    )
    more = ("refused: p50, p99 ms", "generator's processor")
    body = []
    for name, runs in found.items():
        refused = sum(run["statuses"].get("503", 0) for run in runs) / sum(
            sum(run["statuses"].values()) for run in runs
        )
        body.append(
            (
                name,
                round(middle(runs, "goodput")),
                f"{ratios[name]:.0%}",
                round(middle(runs, "good_per_cpu_s")),
                f"{middle(runs, 'p50_ms'):.0f}, {middle(runs, 'p99_ms'):.0f}",
                f"{refused:.0%}",
                f"{middle(runs, 'refused_p50_ms'):.0f}, {middle(runs, 'refused_p99_ms'):.0f}",
                f"{middle(runs, 'cpu_share'):.0%}",
            )
        )
    return "\n" + table((*head, *more), body) + "\n"
