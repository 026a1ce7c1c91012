"""The job that prepares exports: one person after the other, each read in one transaction and kept in another."""

from dataclasses import dataclass

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from codyverse.archives import prepared, writing
from codyverse.archives.prepared import Claim
from codyverse.core import personal
from codyverse.core.clock import now
from codyverse.core.database import engine, session, unit_of_work

log = structlog.get_logger("codyverse.exports")
MOST_AT_ONCE = 20
"""So many in one run: a worker that is asked to stop finishes its run first."""
OF_THE_DATA = (DataError, IntegrityError, ProgrammingError)
"""Faults of the database that would be the same the next time."""


@dataclass(frozen=True, slots=True)
class Done:
    """How many were prepared, how many could not be, and how many of those before were deleted by time."""

    prepared: int = 0
    failed: int = 0
    over: int = 0


def prepare() -> Done:
    """Prepare those that wait, the first twenty of many, and delete those whose time is over.

    Only one at a time may do this (jobs.run). Killed half-way it is run again, and takes up what it had begun. A fault of
    the database ends it, to be run again; any other belongs to one person's data, is logged, and the others go on.
    """
    made = failed = 0
    with unit_of_work():
        over = prepared.end_old()
    while made + failed < MOST_AT_ONCE and (claimed := _claimed()) is not None:
        if _make(claimed):
            made += 1
        else:
            failed += 1
    return Done(made, failed, over)


def _claimed() -> Claim | None:
    with unit_of_work():
        return prepared.claim()


def _make(claimed: Claim) -> bool:
    """Whether it could be made."""
    try:
        _read_and_keep(claimed)
    except Exception as fault:
        if isinstance(fault, DBAPIError) and not isinstance(fault, OF_THE_DATA):
            raise
        log.exception("an export cannot be prepared", user_id=claimed.user_id, fault=type(fault).__name__)
        session.rollback()
        with unit_of_work():
            prepared.fail(claimed)
        return False
    return True


def _read_and_keep(claimed: Claim) -> None:
    """The person may be at work meanwhile: all of it is read as it was at one moment, so that sums and entries agree."""
    if isinstance(engine(), Engine):  # not within the one transaction of a test
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    at = now()
    rows = personal.export(claimed.user_id)
    made = writing.pack(rows)
    session.rollback()
    with unit_of_work():
        prepared.finish(claimed, made, rows, at)
