"""The jobs that run by themselves: name, schedule, what each does. The one screen on which it stands.

A job is a face without a person: it opens its own units of work, one per batch, and says in one sentence what it did.
Whether something is due it reads from the database, never from the clock of its last run. So a worker that was down
misses nothing, a job that was killed is simply run again, and running one twice is harmless. `run` takes a lock in the
database, so that no job runs twice at once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from codyverse import delivering, mailing
from codyverse.accounts import one_time, people
from codyverse.archives import erasures, prepared, preparing
from codyverse.core import heartbeat, idempotency, job_runs, metrics, series
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Conflict, DomainError, ExternalFault, NotFound
from codyverse.core.locks import only_one
from codyverse.core.smtp import NoMailServer
from codyverse.gamification.leagues import services as leagues
from codyverse.insights import services as insights
from codyverse.notifications import post
from codyverse.notifications import services as notifications
from codyverse.notifications.rules import counted
from codyverse.notifications.services import Batch
from codyverse.webhooks import services as webhooks

log = structlog.get_logger("codyverse.jobs")


@dataclass(frozen=True, slots=True)
class Job:
    """`schedule` in crontab's five fields, UTC, weekdays by name (mon); `act` does what is due and says in a sentence what that was, '' if
    nothing was. `waits`, for a job that somebody waits for, tells whether it has anything to do: workers ask every few seconds,
    and do not wait for its schedule then."""

    name: str
    schedule: str
    does: str
    act: Callable[[], str]
    waits: Callable[[], bool] | None = None


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
        _not_answered(refused)
    except NoMailServer as fault:
        _not_answered(1)
        raise ExternalFault(f"The mail server does not answer ({fault}). The mails wait.", 60) from fault
    said = [f"{counted(taken, 'mail')} sent"] if taken else []
    said += [f"{counted(refused, 'mail')} refused"] if refused else []
    return f"{', '.join(said)}." if said else ""


def _not_answered(times: int) -> None:
    """Services of others failed so often: the fourth category of faults."""
    if times:
        metrics.faults.labels("external service").inc(times)
        heartbeat.recorder().counted("faults", "external service", number=times)


def _send_webhooks() -> str:
    done = delivering.deliver()
    _not_answered(done.later + done.failed)
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
        "old figures": series.forget_old,
        "processes that are gone": heartbeat.forget_gone,
        "links that are over": lambda: one_time.forget_old(at),
        "exports that are over": lambda: prepared.forget_old(at),
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


def _insights() -> str:
    """Days, answers and weeks, each batch in a unit of work of its own."""
    at = now()
    with unit_of_work():
        days, weeks = insights.due_days(at), insights.due_weeks(at)
    for day in days:
        with unit_of_work():
            insights.reckon_day(day, at)
    answers = _until_nothing_is_left(lambda: insights.add_answers(at))
    with unit_of_work():
        insights.reckon_cohorts()
    for week in weeks:
        with unit_of_work():
            insights.reckon_week(week)
    return (
        f"Reckoned {counted(len(days), 'day')}, {counted(answers, 'answer')}, {counted(len(weeks), 'week')}."
    )


def _erase() -> str:
    with unit_of_work():
        due = people.due_for_erasure(now())
    for user_id in due:
        with unit_of_work():
            people.erase(user_id)
    if due:
        erasures.write_down()
    return f"Erased {counted(len(due), 'account')}." if due else ""


class NotPrepared(DomainError):
    """Exports that could not be made: whose they are has been told, and the operators are by this."""


def _prepare_exports() -> str:
    done = preparing.prepare()
    said = [f"{counted(done.prepared, 'export')} prepared"] if done.prepared else []
    said += [f"{counted(done.over, 'old one')} deleted"] if done.over else []
    if done.failed:
        said += [f"{done.failed} could not be prepared; the worker's log says why"]
        raise NotPrepared(f"Exports: {', '.join(said)}.")
    return f"{', '.join(said).capitalize()}." if said else ""


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
    Job(
        "exports",
        "* * * * *",
        "Prepare the exports of their data that people asked for, and delete old ones.",
        _prepare_exports,
        prepared.waits,
    ),
    Job("leagues-close", "5 * * * *", "Close the leagues whose week is over everywhere.", _close_leagues),
    Job("erase", "37 * * * *", "Erase the accounts whose owners asked for it 30 days ago.", _erase),
    Job("insights", "*/30 * * * *", "Reckon what the dashboard of learning shows.", _insights),
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
        started_at, began = now(), time.perf_counter()
        try:
            said = found.act()
        except Exception as fault:
            _note(name, started_at, time.perf_counter() - began, "", _told(fault))
            raise
        _note(name, started_at, time.perf_counter() - began, said, "")
    return said


def _told(fault: Exception) -> str:
    """What the table of runs says of a failure: a domain's own words; of anything else only its kind."""
    return fault.message if isinstance(fault, DomainError) else type(fault).__name__


def _note(name: str, started_at: datetime, seconds: float, said: str, fault: str) -> None:
    """Tell the log, the metrics and the table of runs. That the table cannot be written fails no job."""
    outcome = "failed" if fault else "ok"
    metrics.job_runs.labels(name, outcome).inc()
    metrics.job_seconds.labels(name).inc(seconds)
    heartbeat.recorder().timed("jobs", name, outcome, seconds)
    tell = log.info if said or fault else log.debug
    tell("job", job=name, said=said, fault=fault, milliseconds=round(seconds * 1000))
    try:
        with unit_of_work():
            job_runs.note(name, started_at, seconds, said, fault)
    except SQLAlchemyError:
        log.warning("a run could not be noted", job=name)
