"""What an operator would look at if something seems wrong: each check says how it is, what that means, what mends it.

A check never raises: what cannot be looked at is a fault of its own. Nothing is changed.
"""

import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from alembic.script import ScriptDirectory
from apscheduler.triggers.cron import CronTrigger
from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from codyverse.archives import erasures
from codyverse.backups import container, postgres, restoring
from codyverse.core import cache, heartbeat, job_runs, replicas
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.embedded import EmbeddedPostgresError
from codyverse.core.embedded.programs import OLDEST_MAJOR
from codyverse.core.errors import NotIdentified, Unavailable
from codyverse.core.holding import MOST_KEPT
from codyverse.core.oidc import Provider
from codyverse.core.smtp import MailServer, NoMailServer, NotSent
from codyverse.jobs import JOBS, Job
from codyverse.notifications.rules import counted

State = Literal["good", "look", "fault"]
LEAST_FREE = (1 << 30, 200 << 20)
"""Bytes free on a disk: below the first to be looked at, below the second a fault."""
OLDEST_BACKUP = (timedelta(hours=26), timedelta(days=7))
WAITING = timedelta(minutes=15)
SPARE_CONNECTIONS = 3
"""Connections that PostgreSQL keeps for its superuser, unless told otherwise."""
FAILED_OFTEN = 3
"""Failures in a row; one or two pass."""
SHORT_WAIT_S = 3.0
OTHERS = 8
"""Connections of a worker, a process for streams, and a command or two."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How it is with one thing. `mend` is what to do, '' when all is well."""

    name: str
    state: State
    says: str
    mend: str = ""

    def plain(self) -> dict[str, str]:
        return asdict(self)


Check = Callable[[], Finding]


def examine() -> tuple[Finding, ...]:
    """All checks, in the order in which they help each other."""
    return tuple(_safely(name, check) for name, check in CHECKS)


def _safely(name: str, check: Check) -> Finding:
    try:
        return check()
    except Exception as fault:  # noqa: BLE001 - whatever it is, the other checks go on
        said = str(getattr(fault, "orig", None) or fault).strip().splitlines()
        return Finding(
            name, "fault", f"could not be looked at: {said[0] if said else type(fault).__name__}", _RETRY
        )
    finally:
        with suppress(SQLAlchemyError):  # a statement that failed must not spoil the next check
            session.rollback()


_RETRY = "mend what is above first, then run `flask doctor` again"


def _settings() -> Any:
    return current_app.extensions["settings"]


def _configuration() -> Finding:
    """Faults between settings are refused at the start; here is what a start cannot know."""
    settings = _settings()
    said = f"{settings.environment}, {settings.base_url}"
    file = Path(current_app.root_path).parent / ".env"
    if file.is_file() and file.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        return Finding(
            "configuration", "look", f"others on this machine can read or change {file}", f"chmod 600 {file}"
        )
    return Finding("configuration", "good", said)


def _secrets() -> Finding:
    settings = _settings()
    key = settings.data_dir / "secret-key"
    if not settings.is_public and key.is_file() and key.stat().st_mode & 0o077:
        return Finding("secrets", "fault", f"others on this machine can read {key}", f"chmod 600 {key}")
    if settings.backup_key_file is not None:
        return _backup_key(Path(settings.backup_key_file))
    return Finding("secrets", "good", "the signing key is long enough and closed to others")


def _backup_key(file: Path) -> Finding:
    try:
        container.read_key(file)
    except container.Unusable as fault:
        told = f"{fault.message} Until then no backup can be made"
        return Finding("secrets", "fault", told, f"mend {file}, or remove BACKUP_KEY_FILE")
    if file.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        told = f"others on this machine can read or change {file}, and with it open every backup"
        return Finding("secrets", "fault", told, f"chmod o-rwx,g-w {file}")
    return Finding(
        "secrets", "good", "the signing key and the backups' key are long enough and closed to others"
    )


def _ask(sql: str, **values: object) -> Any:
    return session.execute(text(sql), values).one()


def _database() -> Finding:
    began = time.perf_counter()
    version = _ask(
        "select current_setting('server_version_num')::int as number, current_setting('server_version') as name"
    )
    took = (time.perf_counter() - began) * 1000
    if version.number // 10_000 < OLDEST_MAJOR:
        told = f"PostgreSQL {version.name} is older than {OLDEST_MAJOR}, the oldest that Cody Verse runs on"
        return Finding("database", "fault", told, "upgrade PostgreSQL, or point DATABASE_URL to a newer one")
    return Finding("database", "good", f"PostgreSQL {version.name}, answered in {took:.0f} ms")


def _migrations() -> Finding:
    scripts = ScriptDirectory(str(Path(current_app.root_path).parent / "migrations"))
    head = scripts.get_current_head()
    tables = _ask("select to_regclass('public.alembic_version') is not null as there").there
    current = _ask("select version_num from alembic_version").version_num if tables else None
    if current == head:
        return Finding("migrations", "good", f"at {head}")
    if current is None:
        return Finding("migrations", "fault", "the tables are not there yet", "flask db upgrade")
    if current not in {each.revision for each in scripts.walk_revisions()}:
        told = f"the database is at {current}, which this version does not know: it was used by a newer one"
        return Finding("migrations", "fault", told, "install the version that was here before")
    told = f"the database is at {current}, this version needs {head}"
    return Finding("migrations", "fault", told, "flask db upgrade")


def _pool() -> Finding:
    settings = _settings()
    most = int(_ask("select current_setting('max_connections')::int as most").most) - SPARE_CONNECTIONS
    kept = min(settings.web_threads, MOST_KEPT)
    watching = len(settings.replicas)
    wanted = settings.web_workers * (settings.pool_max + kept + watching) + OTHERS
    told = f"up to {wanted} connections are wanted, PostgreSQL gives {most}"
    if wanted > most:
        fitting = max(1, (most - OTHERS) // settings.web_workers - kept - watching)
        mend = f"set POOL_MAX={fitting}, or raise max_connections of PostgreSQL"
        return Finding("pool", "fault", told, mend)
    return Finding("pool", "good", told)


def _clock() -> Finding:
    there = _ask("select clock_timestamp() as at").at
    apart = abs((datetime.now(UTC) - there).total_seconds())
    told = f"this machine and the database are {apart:.1f} s apart"
    if apart > 5:
        told += ": times of days and limits would be wrong"
        return Finding("clock", "fault", told, "timedatectl set-ntp true")
    return Finding("clock", "good", told)


def _disk() -> Finding:
    folders = (_settings().data_dir, _settings().backup_dir)
    for folder in folders:
        if (why := _not_writable(_there(folder))) is not None:
            told = f"nothing can be written to {folder}: {why}"
            mend = "let this user write there, or choose another folder with CODYVERSE_DATA or BACKUP_DIR"
            return Finding("disk", "fault", told, mend)
    least, folder = min((shutil.disk_usage(_there(each)).free, each) for each in folders)
    told = f"{least / 1e9:.1f} GB free for {folder}"
    mend = f"make room for {folder}, or move it with CODYVERSE_DATA or BACKUP_DIR"
    if least < LEAST_FREE[1]:
        return Finding("disk", "fault", told, mend)
    return Finding("disk", "look", told, mend) if least < LEAST_FREE[0] else Finding("disk", "good", told)


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above that exists."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _not_writable(folder: Path) -> str | None:
    """Why no file can be made there; None if one can. The one that is tried has no name, and is gone at once."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as fault:
        return fault.strerror or type(fault).__name__


def _mail() -> Finding:
    settings = _settings()
    if settings.smtp_url is None and settings.is_public:
        told = (
            "no mail server is set: mails stay unsent, and who forgets their password needs a link from you"
        )
        return Finding("mail", "look", told, "set SMTP_URL and MAIL_FROM")
    if settings.smtp_url is None:
        return Finding("mail", "good", "no mail server is set: mails stay here, to be read at /dev/mail")
    try:
        with MailServer.at(settings.smtp_url, settings.smtp_timeout_s).connection():
            return Finding("mail", "good", "the mail server answers and lets us in")
    except (NoMailServer, NotSent, OSError) as fault:
        return Finding(
            "mail", "fault", f"the mail server does not take mail: {fault}", "check SMTP_URL, and the server"
        )


def _cache() -> Finding:
    settings = _settings()
    if settings.redis_url is None:
        return Finding("cache", "good", "in the memory of the one web process")
    state = cache.levels().state()
    if state == "operational":
        return Finding("cache", "good", "Valkey or Redis answers")
    told = f"Valkey or Redis is {state}: pages are served, but slower, and limits count in each process"
    return Finding("cache", "fault", told, "start it, or check REDIS_URL")


_OVERDUE = """
    select (select count(*) from mails where sent_at is null and failed_at is null and next_try_at < :since) as mails,
           (select count(*) from webhook_deliveries where delivered_at is null and failed_at is null
            and next_try_at < :since) as webhooks,
           (select count(*) from prepared_exports where state in ('waiting', 'running') and asked_at < :since) as exports
"""


def _worker() -> Finding:
    """By what it leaves undone, by when its jobs ran last, and by whether a worker was heard of."""
    settings = _settings()
    waiting = _ask(_OVERDUE, since=now() - WAITING)
    mails = waiting.mails if settings.smtp_url else 0  # without a mail server they wait by right
    if mails + waiting.webhooks:
        told = f"{counted(mails, 'mail')} and {counted(waiting.webhooks, 'webhook')} should have been sent 15 minutes ago"
        return Finding("worker", "fault", told, _START)
    if waiting.exports:
        told = f"{counted(waiting.exports, 'export')} should have been prepared 15 minutes ago"
        return Finding("worker", "fault", told, _START)
    runs = job_runs.last_runs()
    if failing := [f"{run.job} ({run.fault})" for run in runs.values() if run.failing >= FAILED_OFTEN]:
        told = f"jobs fail again and again: {', '.join(failing)}"
        return Finding("worker", "fault", told, "flask jobs list; the worker's log says more")
    if (silence := _silence(runs)) is not None:
        return Finding("worker", "fault" if settings.is_public else "look", silence, _START)
    return Finding("worker", "good", "its jobs run by their schedules, and nothing waits for it")


_START = "start it: flask worker (or: systemctl start codyverse-worker)"


def _silence(runs: dict[str, job_runs.LastRun]) -> str | None:
    """What tells that no worker runs; None if one does."""
    if not runs:
        return "no worker ever ran here: nobody is reminded, nothing is sent, erased or reckoned"
    at, first = now(), min(run.started_at for run in runs.values())
    late = [each.name for each in JOBS if _is_late(each, runs.get(each.name), first, at)]
    if late:
        last = max(run.started_at for run in runs.values())
        return f"by their schedules these should have run again: {', '.join(late)}; any job ran last on {last:%Y-%m-%d %H:%M} UTC"
    heard = any(each.kind == "worker" and not each.silent for each in heartbeat.instances())
    return None if heard or not _settings().metrics_every_s else "no worker was heard of in the last minutes"


def _is_late(job: Job, run: job_runs.LastRun | None, first: datetime, at: datetime) -> bool:
    """Whether a job should have begun again so long ago that no worker can be at it. `first`: when any job ran that is known."""
    if run is None:
        return first + WAITING < at
    trigger = CronTrigger.from_crontab(job.schedule, timezone=UTC)
    due = trigger.get_next_fire_time(run.started_at, run.started_at)
    return bool(due + WAITING < at)


def _provider() -> Finding:
    settings = _settings()
    if not settings.oidc_issuer:
        return Finding("provider", "good", "people sign in here, with a password or a passkey")
    provider = Provider(
        settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, SHORT_WAIT_S
    )
    try:
        provider.prove()
    except Unavailable:
        told = f"{settings.oidc_issuer} does not answer, so nobody signs in through it"
    except NotIdentified as fault:
        told = f"{settings.oidc_issuer}: {fault}"
    else:
        return Finding("provider", "good", f"{settings.oidc_issuer} answers")
    mend = "check OIDC_ISSUER, and open its address with /.well-known/openid-configuration behind it from this machine"
    return Finding("provider", "fault", told, mend)


def _replicas() -> Finding:
    found = replicas.replicas()
    if found is None:
        return Finding("replicas", "good", "none are set: everything is read from the one database")
    seen = found.look_now()
    off = [f"{each.name} is {each.state}: {each.more}" for each in seen if each.state != "level"]
    if not off:
        return Finding("replicas", "good", f"{counted(len(seen), 'replica')} near enough to be read from")
    told = (
        f"{'; '.join(off)} (in the order of REPLICA_URLS). Pages are served without it, by the primary alone"
    )
    mend = "start it, or see in the primary's pg_stat_replication why it is behind; or take its address out of REPLICA_URLS"
    return Finding("replicas", "fault", told, mend)


def _dumps() -> Finding:
    """Backups are made by another program than the site, which must get in too."""
    try:
        version = postgres.prove_dumps(postgres.direct_url(_settings()))
    except (container.Unusable, EmbeddedPostgresError) as fault:
        mend = "check DATABASE_URL, or set STREAM_DATABASE_URL to PostgreSQL itself where a pooler stands between"
        if "version mismatch" in str(fault):
            mend = "install the PostgreSQL programs of the server's version, and put them first in PATH"
        return Finding("pg_dump", "fault", f"backups cannot be made: {fault}", mend)
    return Finding("pg_dump", "good", f"pg_dump {version} gets in and may read all tables")


def _content() -> Finding:
    offered = _ask("select count(*) as courses from courses where retired_at is null").courses
    if not offered:
        return Finding("content", "fault", "there are no courses", "flask content apply")
    from codyverse.courses.authoring.files import read_content

    folder = _settings().content_dir
    found = read_content(folder)
    if found.faults:
        told = f"{len(found.faults)} faults in {folder}"
        return Finding("content", "fault", told, f"flask content lint {folder}")
    return Finding("content", "good", f"{offered} courses are offered; their files have no fault")


def _proxy() -> Finding:
    settings = _settings()
    if settings.is_public and settings.base_url.startswith("https://") and settings.proxy_hops == 0:
        told = "PROXY_HOPS is 0: behind a proxy all visitors would count as one, and share one limit"
        return Finding("proxy", "look", told, "set PROXY_HOPS=1 if one proxy that you trust stands in front")
    return Finding("proxy", "good", f"{settings.proxy_hops} proxies in front are trusted")


def _backups() -> Finding:
    settings = _settings()
    newest = restoring.newest(settings.backup_dir)
    try:
        erasures.check(settings.backup_dir / erasures.NAME)
    except erasures.Damaged as fault:
        return Finding("backups", "fault", str(fault), "mend the list: no backup is restored before that")
    state: State = "look"
    if newest is None:
        told = f"there is no backup in {settings.backup_dir}"
    else:
        age = now() - datetime.fromtimestamp(newest.stat().st_mtime, UTC)
        told = f"the newest one is {age.total_seconds() / 3600:.0f} hours old ({newest.name})"
        if age <= OLDEST_BACKUP[0]:
            return Finding("backups", "good", told)
        state = "fault" if age > OLDEST_BACKUP[1] and settings.is_public else "look"
    return Finding("backups", state, told, "flask backup (and let a timer do it every night)")


CHECKS: tuple[tuple[str, Check], ...] = (
    ("configuration", _configuration),
    ("secrets", _secrets),
    ("database", _database),
    ("migrations", _migrations),
    ("pool", _pool),
    ("clock", _clock),
    ("disk", _disk),
    ("mail", _mail),
    ("cache", _cache),
    ("worker", _worker),
    ("content", _content),
    ("proxy", _proxy),
    ("provider", _provider),
    ("replicas", _replicas),
    ("pg_dump", _dumps),
    ("backups", _backups),
)
