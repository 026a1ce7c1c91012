"""How the jobs fare: for each one its last run, and how often it failed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Float, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core.database import Base, session

MOST_SAID = 500


class JobRun(Base):
    """A job's last run, one row a job. `seconds` of the last run, `total` of all; `failing` counts failures in a row."""

    __tablename__ = "job_runs"

    job: Mapped[str] = mapped_column(Text, primary_key=True)
    started_at: Mapped[datetime]
    seconds: Mapped[float] = mapped_column(Float(53))
    total: Mapped[float] = mapped_column(Float(53))
    said: Mapped[str] = mapped_column(Text)
    fault: Mapped[str] = mapped_column(Text)
    runs: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(BigInteger)
    failing: Mapped[int] = mapped_column(BigInteger)
    failed_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class LastRun:
    """As the table has it; `said` is '' when nothing was due, `fault` '' when it went well."""

    job: str
    started_at: datetime
    seconds: float
    total: float
    said: str
    fault: str
    runs: int
    failures: int
    failing: int
    failed_at: datetime | None


_NOTE = text("""
    insert into job_runs as old (job, started_at, seconds, total, said, fault, runs, failures, failing, failed_at)
    values (:job, :started_at, :seconds, :seconds, :said, :fault, 1, :failed, :failed,
            case when :failed = 1 then cast(:started_at as timestamptz) end)
    on conflict (job) do update set
        started_at = excluded.started_at, seconds = excluded.seconds, total = old.total + excluded.seconds,
        said = excluded.said, fault = excluded.fault, runs = old.runs + 1, failures = old.failures + excluded.failures,
        failing = case when excluded.failing = 1 then old.failing + 1 else 0 end,
        failed_at = coalesce(excluded.failed_at, old.failed_at)
""")
_ALL = text(
    "select job, started_at, seconds, total, said, fault, runs, failures, failing, failed_at from job_runs order by job"
)


def note(job: str, started_at: datetime, seconds: float, said: str, fault: str) -> None:
    """Keep how a run went. One statement; again counts as another run."""
    values = {
        "job": job,
        "started_at": started_at,
        "seconds": seconds,
        "said": said[:MOST_SAID],
        "fault": fault[:MOST_SAID],
        "failed": int(bool(fault)),
    }
    session.connection().execute(_NOTE, values)


def last_runs() -> dict[str, LastRun]:
    """The last run of each job that ever ran. One statement."""
    return {row.job: LastRun(*row) for row in session.connection().execute(_ALL)}
