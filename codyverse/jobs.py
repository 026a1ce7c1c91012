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

from codyverse import delivering, mailing
from codyverse.accounts import one_time, people
from codyverse.archives import erasures
from codyverse.core import idempotency
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Conflict, NotFound, Unavailable
from codyverse.core.locks import only_one
from codyverse.core.smtp import NoMailServer
from codyverse.gamification.leagues import services as leagues
from codyverse.notifications import post
from codyverse.notifications import services as notifications
from codyverse.notifications.rules import counted
from codyverse.notifications.services import Batch
from codyverse.webhooks import services as webhooks

log = structlog.get_logger("codyverse.jobs")


@dataclass(frozen=True, slots=True)
class Job:
    """`schedule` in crontab's five fields, UTC, weekdays by name (mon); `act` does what is due and says in a sentence what that was, '' if
    nothing was."""

    name: str
    schedule: str
    does: str
    act: Callable[[], str]


def _in_batches(work: Callable[[int], Batch]) -> int:
    """Go through all learners, one unit of work per batch; how much was done."""
    done = 0
    after: int | None = 0
    while after is not None:
        with unit_of_work():
            batch = work(after)
        done += batch.done
        after = batch.last_user_id
    return done


def _remind_of_streaks() -> str:
    at = now()
    told = _in_batches(lambda after: notifications.remind_of_streaks(at, after))
    return f"Reminded {counted(told, 'learner')}." if told else ""


def _write_digests() -> str:
    if mailing.server() is None and mailing.settings().is_public:
        return ""  # old news must not pour out on the day that a mail server is set
    at = now()
    written = _in_batches(lambda after: post.write_digests(at, after))
    return f"Wrote {counted(written, 'digest')}." if written else ""


def _send_mails() -> str:
    try:
        taken, refused = mailing.deliver()
    except NoMailServer as fault:
        raise Unavailable(f"The mail server does not answer ({fault}). The mails wait.", 60) from fault
    said = [f"{counted(taken, 'mail')} sent"] if taken else []
    said += [f"{counted(refused, 'mail')} refused"] if refused else []
    return f"{', '.join(said)}." if said else ""


def _send_webhooks() -> str:
    done = delivering.deliver()
    said = [f"{done.delivered} delivered"] if done.delivered else []
    said += [f"{done.later} to be tried again"] if done.later else []
    said += [f"{done.failed} failed for good"] if done.failed else []
    return f"Webhooks: {', '.join(said)}." if said else ""


def _forget_old() -> str:
    at = now()
    kinds = {
        "old notifications and mails": lambda: notifications.forget_old(at),
        "answers kept for programs": lambda: idempotency.forget_old(at),
        "old events of webhooks": webhooks.forget_old,
        "links that are over": lambda: one_time.forget_old(at),
    }
    gone = {what: _until_nothing_is_left(forget) for what, forget in kinds.items()}
    said = [f"{what} ({number})" for what, number in gone.items() if number]
    return f"Forgot {', '.join(said)}." if said else ""


def _until_nothing_is_left(forget: Callable[[], int]) -> int:
    """One unit of work per batch; how much went."""
    gone = 0
    while True:
        with unit_of_work():
            batch = forget()
        gone += batch
        if not batch:
            return gone


def _erase() -> str:
    with unit_of_work():
        due = people.due_for_erasure(now())
    for user_id in due:
        with unit_of_work():
            people.erase(user_id)
    if due:
        erasures.write_down()
    return f"Erased {counted(len(due), 'account')}." if due else ""


def _close_leagues() -> str:
    """First every result is fixed, then every member is paid and told, each in a transaction of its own."""
    with unit_of_work():
        cohorts = leagues.due_cohorts(now())
    for cohort_id in cohorts:
        with unit_of_work():
            leagues.close_cohort(cohort_id)
    with unit_of_work():
        members = leagues.due_members()
    for user_id, week in members:
        with unit_of_work():
            leagues.settle_member(user_id, week)
    return f"{len(cohorts)} leagues closed, {len(members)} members told"


JOBS: tuple[Job, ...] = (
    Job(
        "streak-reminders",
        "*/15 * * * *",
        "Remind learners whose streak needs a lesson today.",
        _remind_of_streaks,
    ),
    Job("digests", "*/15 * * * *", "Write the daily mails of those who asked for them.", _write_digests),
    Job("mails", "* * * * *", "Send the mails that wait.", _send_mails),
    Job("webhooks", "* * * * *", "Tell webhooks what happened.", _send_webhooks),
    Job("leagues-close", "5 * * * *", "Close the leagues whose week is over everywhere.", _close_leagues),
    Job("erase", "37 * * * *", "Erase the accounts whose owners asked for it 30 days ago.", _erase),
    Job(
        "forget",
        "17 3 * * *",
        "Delete notifications read long ago, old mails and events of webhooks, what was kept for requests sent twice.",
        _forget_old,
    ),
)
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
    tell = log.info if said else log.debug
    tell("job", job=name, said=said, milliseconds=round((time.perf_counter() - began) * 1000))
    return said
