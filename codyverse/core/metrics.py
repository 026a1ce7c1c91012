"""Numbers for machines that watch, in Prometheus' format. With several processes they add up in PROMETHEUS_MULTIPROC_DIR.

prometheus_client reads that variable when it is imported, so it has to be set by then: where the processes are started,
or before `load`, which the first number that is asked for does otherwise. What follows from a process (memory, pool,
threads) is set by its heartbeat, a few seconds old at most.
"""

import os
import re
from collections import Counter as Counting
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from codyverse.core.metrics_folder import VARIABLE

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_OF_PROCESS = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


def load() -> None:
    """Make the numbers. From then on it is settled whether they add up with those of others; again is harmless."""
    from codyverse.core import meters

    globals().update({name: each for name, each in vars(meters).items() if not name.startswith("_")})


def __getattr__(name: str) -> Any:
    """The first number that is asked for brings all of them."""
    if name.startswith("_"):
        raise AttributeError(name)
    load()
    try:
        return globals()[name]
    except KeyError:
        raise AttributeError(f"there is no number {name}") from None


def registry() -> "CollectorRegistry":
    """All numbers: of all processes if they share a folder, else of this one."""
    load()
    from prometheus_client import REGISTRY

    folder = os.environ.get(VARIABLE)
    if not folder:
        return REGISTRY
    _forget_the_dead(Path(folder))
    return _added_up()


def _added_up(folder: Path | None = None) -> "CollectorRegistry":
    """What all processes wrote into the folder, or into the one of the variable."""
    from prometheus_client import CollectorRegistry, multiprocess

    shared = CollectorRegistry()
    multiprocess.MultiProcessCollector(shared, path=str(folder) if folder else None)  # type: ignore[no-untyped-call]
    return shared


def _forget_the_dead(folder: Path) -> None:
    """What only living processes have (memory, threads) ends with them, however they ended."""
    for file in folder.glob("gauge_live*.db"):
        found = _OF_PROCESS.fullmatch(file.name)
        if found and not psutil.pid_exists(int(found[1])):
            file.unlink(missing_ok=True)


def show_breaker(state: str) -> None:
    """The breaker has come to stand so."""
    from codyverse.core import meters

    meters.breaker.set(("closed", "half-open", "open").index(state))


def cache_looks(folder: Path | None = None) -> Counting[tuple[str, bool]] | None:
    """Looks into the cache by lifetime and whether they hit, of all processes; None where they do not add up.

    `folder` is where they add up, for somebody who is none of them; without it PROMETHEUS_MULTIPROC_DIR counts.
    """
    if folder is None and not os.environ.get(VARIABLE):
        return None
    looks: Counting[tuple[str, bool]] = Counting()
    for family in _added_up(folder).collect():
        for each in family.samples if family.name == "cody_cache_reads" else ():
            looks[each.labels["lifetime"], each.labels["result"] == "hit"] += int(each.value)
    return looks


def as_text() -> bytes:
    """In Prometheus' text format."""
    from prometheus_client import generate_latest

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


if os.environ.get(VARIABLE):  # a process that is told where to count will count
    load()
