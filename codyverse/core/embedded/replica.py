"""A streaming replica of the embedded database, beside it on the same machine.

It is a folder like that of any embedded database (`cluster.py`), filled by `pg_basebackup` instead of `initdb`; from then
on a lease keeps it running, as it does with the primary.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import psycopg2

from codyverse.core.embedded.account import account_for, data_argument, reachable_programs
from codyverse.core.embedded.cluster import DATABASE, PORT, ROLE, SUPERUSER, run
from codyverse.core.embedded.errors import EmbeddedPostgresError
from codyverse.core.embedded.lease import Lease
from codyverse.core.embedded.pidfile import PidFile
from codyverse.core.embedded.programs import find

CATCH_UP_SECONDS = 10.0
"""A replica that does not stream by then has missed too much, and is made anew."""
SETTINGS = {
    "hot_standby_feedback": "on",
    "max_standby_streaming_delay": "3s",
    "wal_retrieve_retry_interval": "500ms",
}
"""Reads are seldom broken off, replaying waits for none of them for long, and a primary that comes back is soon found."""


def replica_of(primary: Lease, folder: Path) -> Lease:
    """A lease on the replica in `folder`, which streams when this returns. The primary's lease must outlive it.

    Again is harmless: one that is there goes on from where it was, or is made anew if it cannot catch up.
    Raises EmbeddedPostgresError.
    """
    if (folder / "data").exists():
        lease = _started(primary, folder)
        if _streams(lease):
            return lease
        lease.release()
        shutil.rmtree(folder / "data")
    _copy(primary, folder)
    lease = _started(primary, folder)
    if not _streams(lease):
        lease.release()
        raise EmbeddedPostgresError(
            f"The replica in {folder} gets nothing from its primary; its log is {folder / 'server.log'}."
        )
    return lease


def superuser_url(lease: Lease) -> str:
    """The same database for its superuser, who may pause a replica: for drills."""
    return lease.url.replace(f"{ROLE}@", f"{SUPERUSER}@").replace(f"/{DATABASE}?", f"/{SUPERUSER}?")


def _started(primary: Lease, folder: Path) -> Lease:
    """The replica as a running server, told where the primary is now."""
    data = folder / "data"
    account = account_for(data)
    lines = [
        f"{name} = '{value}'" for name, value in {**SETTINGS, "primary_conninfo": _address(primary)}.items()
    ]
    for name, text in (("postgresql.auto.conf", "\n".join(lines) + "\n"), ("standby.signal", "")):
        draft = data / f"{name}.new"
        draft.write_text(text)
        account.give(draft)
        draft.replace(data / name)
    return Lease(folder).take()


def _address(primary: Lease) -> str:
    state = PidFile.read(primary.folder / "data")
    if state is None:
        raise EmbeddedPostgresError(f"The primary in {primary.folder} does not run.")
    return f"host={state.socket_folder} port={PORT} user={SUPERUSER} application_name=replica"


def _copy(primary: Lease, folder: Path) -> None:
    """A base backup of the running primary; complete or not at all."""
    folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    for left in folder.glob("data.new.*"):
        shutil.rmtree(left, ignore_errors=True)
    account = account_for(primary.folder / "data")
    programs = reachable_programs(find(int((primary.folder / "data" / "PG_VERSION").read_text())), account)
    draft = folder / f"data.new.{os.getpid()}"
    draft.mkdir(mode=0o700)
    try:
        account.give(draft)
        words = [programs.path("pg_basebackup"), "-D", data_argument(draft, account), "-d", _address(primary)]
        run([*words, "--checkpoint=fast", "--wal-method=stream", "--no-sync"], draft, account)
        draft.rename(folder / "data")
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _streams(lease: Lease) -> bool:
    """Whether it gets the primary's log, after some seconds at most."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    connection = psycopg2.connect(lease.url.replace("+psycopg2", "", 1))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            while time.monotonic() < deadline:
                cursor.execute("select 1 from pg_stat_wal_receiver where status = 'streaming'")
                if cursor.fetchone():
                    return True
                time.sleep(0.02)
    finally:
        connection.close()
    return False
