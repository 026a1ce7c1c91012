"""The jobs that run by themselves: name, schedule, what each does. The one screen on which it stands.

A job is a face without a person: it opens its own units of work, one per batch, and says in one sentence what it did.
Whether something is due it reads from the database, never from the clock of its last run. So a worker that was down
misses nothing, a job that was killed is simply run again, and running one twice is harmless. `run` takes a lock in the
database, so that no job runs twice at once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from codyverse.core.errors import Conflict, NotFound
from codyverse.core.locks import only_one

log = structlog.get_logger("codyverse.jobs")


@dataclass(frozen=True, slots=True)
class Job:
    """`schedule` in crontab's five fields, UTC; `act` does what is due and says in a sentence what that was."""

    name: str
    schedule: str
    does: str
    act: Callable[[], str]


JOBS: tuple[Job, ...] = ()
"""All jobs, in the order of `flask jobs list`."""


def job(name: str) -> Job:
    """The job of this name. Raises NotFound."""
    for each in JOBS:
        if each.name == name:
            return each
    raise NotFound(f"There is no job {name}: `flask jobs list` names them all.")


def run(name: str) -> str:
    """Do now what is due of this job; what it said. Raises NotFound, and Conflict while it runs elsewhere."""
    found = job(name)
    with only_one(f"job:{name}") as mine:
        if not mine:
            raise Conflict(f"The job {name} is running already.")
        began = time.perf_counter()
        said = found.act()
    log.info("job", job=name, said=said, milliseconds=round((time.perf_counter() - began) * 1000))
    return said
