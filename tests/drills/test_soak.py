"""Half an hour of mixed load: no request fails, and no process grows."""

import os
import statistics
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from bench.clustered import Clustered
from bench.journeys import counted, start
from tests.drills.told import written

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
"""A shorter time is for trying the drill out; it judges the same, and writes no page."""
LEARNERS = 60
WARM_SHARE = 1 / 3
MOST_GROWTH = 0.05
SAMPLE_SECONDS = 5


def growth(samples: list[float]) -> float:
    """How much more the last fifth after the warm-up holds than the first fifth of it, as a share."""
    warm = samples[round(len(samples) * WARM_SHARE) :]
    part = max(1, len(warm) // 5)
    return statistics.median(warm[-part:]) / statistics.median(warm[:part]) - 1


@pytest.mark.drill
def test_half_an_hour_of_mixed_load(cluster_up: Clustered) -> None:
    samples: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        load = start(
            cluster_up.url, LEARNERS, 60 * MINUTES, Path(folder), spawn_rate=LEARNERS / 20, pause=(1, 4)
        )
        watched, cpu, began = psutil.Process(load.pid), 0.0, time.monotonic()
        while load.poll() is None:
            for name, held in cluster_up.memory().items():
                samples.setdefault(name, []).append(held)
            if load.poll() is None:
                cpu = sum(watched.cpu_times()[:2])
            time.sleep(SAMPLE_SECONDS)
        found = counted(Path(folder), cpu / (time.monotonic() - began))
    grown = {name: growth(held) for name, held in samples.items() if name not in ("nginx", "valkey")}
    facts: dict[str, object] = {
        "minutes": f"{MINUTES:g}",
        "learners at once": LEARNERS,
        "requests": f"{found.requests:,} ({found.rate:.0f} a second)",
        "failed": found.failures,
        "the generator's share of one core": f"{found.generator_cpu:.0%}",
    }
    for name, held in samples.items():
        warm = held[round(len(held) * WARM_SHARE) :]
        facts[f"memory of {name}: at first, when warm, in the end"] = (
            f"{held[0]:.0f}, {warm[0]:.0f}, {held[-1]:.0f} MB"
        )
    facts |= {f"growth of {name} after the warm-up": f"{share:+.1%}" for name, share in grown.items()}
    how = (
        "The learners of `bench/locustfile.py` (1 to 4 seconds a page) on a cluster (`flask cluster up`). Memory is what each "
        f"process holds for itself (USS), every {SAMPLE_SECONDS} s; the first third counts as warm-up; growth compares the medians of the "
        "first and the last fifth of the rest."
    )
    if MINUTES >= 30:
        written("soak", "Half an hour of mixed load", how, facts)
    assert found.errors == (), facts
    assert found.requests > 100 * MINUTES
    assert {name: share for name, share in grown.items() if share > MOST_GROWTH} == {}, facts
