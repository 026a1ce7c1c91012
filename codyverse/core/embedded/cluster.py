"""The folder of one embedded database: how it is laid out, created once, and how its server is started.

::

    <folder>/            locks and log of whoever uses it
        data/            PostgreSQL's own folder (mode 0700)
        socket/          the Unix socket (mode 0700), or a short folder below the temporary one if the path is long
        server.log       what PostgreSQL said, kept below two megabytes
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from codyverse.core.embedded.account import Account, account_for, data_argument, reachable_programs
from codyverse.core.embedded.errors import EmbeddedPostgresError
from codyverse.core.embedded.programs import Programs, find

DATABASE = "codyverse"
ROLE = "codyverse"
SUPERUSER = "postgres"
PORT = 5432  # only part of the socket's name: nothing listens on the network
LONGEST_SOCKET_PATH = 103  # bytes; Linux allows 107, macOS 103
NEEDED_BYTES = 150_000_000

SETUP = f"""\
CREATE ROLE {ROLE} LOGIN CREATEDB IN ROLE pg_monitor;
CREATE DATABASE {DATABASE} OWNER {ROLE};
"""

SERVER_OPTIONS = {
    "cluster_name": "codyverse",
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_min_messages": "log",  # not every refused statement: the application logs those itself
    "log_min_error_statement": "panic",  # no personal data in the log
    "log_checkpoints": "off",
    "jit": "off",
}

THROWAWAY_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "shared_buffers": "64MB",
}


@dataclass(frozen=True)
class Cluster:
    """A created database folder, ready to be served."""

    folder: Path
    programs: Programs
    account: Account
    throwaway: bool

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def command(self, socket: Path) -> list[str]:
        """The command line of the server; its working directory must be ``data``."""
        options = {**SERVER_OPTIONS, "unix_socket_directories": str(socket)}
        if self.throwaway:
            options.update(THROWAWAY_OPTIONS)
        words = [self.programs.path("postgres"), "-D", data_argument(self.data, self.account)]
        for name, value in options.items():
            words += ["-c", f"{name}={value}"]
        return words

    def socket_folder(self) -> Path:
        """A folder for the socket whose path is short enough, made and closed to everybody else."""
        near = self.folder / "socket"
        if not _fits(near) or not self.account.may_enter(self.folder):
            digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
            name = f"codyverse-{self.account.uid}-{digest}"
            choices = [Path(tempfile.gettempdir()) / name, Path("/tmp") / name]  # noqa: S108 (its owner is checked below)
            near = next((each for each in choices if _fits(each)), choices[-1])
        near.mkdir(mode=0o700, exist_ok=True)
        status = near.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), self.account.uid):
            raise EmbeddedPostgresError(f"{near} belongs to somebody else: remove it and start again.")
        near.chmod(0o700)
        self.account.give(near)
        return near


def prepare(folder: Path, *, throwaway: bool) -> Cluster:
    """Finds the programs for ``folder`` and creates its database if there is none yet.

    To be called by one process at a time. A creation that is interrupted leaves nothing half done.
    """
    data = folder / "data"
    account = account_for(data)
    programs = reachable_programs(find(_written_by(data)), account)
    cluster = Cluster(folder, programs, account, throwaway)
    if not data.exists():
        if throwaway:
            _copy_template(cluster)
        else:
            _create(data, programs, account, sync=True)
    return cluster


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH


def _written_by(data: Path) -> int | None:
    """The major version that wrote ``data``, None if it is not there yet."""
    if not data.exists():
        return None
    try:
        return int((data / "PG_VERSION").read_text().strip())
    except PermissionError:
        return None  # somebody else's: account_for says so
    except (FileNotFoundError, ValueError) as fault:
        raise EmbeddedPostgresError(
            f"{data} exists but holds no PostgreSQL database: move it away, then start again."
        ) from fault


def _create(data: Path, programs: Programs, account: Account, *, sync: bool) -> None:
    free = shutil.disk_usage(data.parent).free
    if free < NEEDED_BYTES:
        raise EmbeddedPostgresError(
            f"The disk is full: {data.parent} has {free // 1_000_000} MB left and the database needs "
            f"{NEEDED_BYTES // 1_000_000} MB. Make room, or choose another disk with CODYVERSE_DATA."
        )
    # A name of its own: initdb may outlive a starter that was killed, and would clean up in the next one's folder.
    for left in data.parent.glob("data.new.*"):
        shutil.rmtree(left, ignore_errors=True)
    draft = data.with_name(f"data.new.{os.getpid()}.{secrets.token_hex(4)}")
    draft.mkdir(mode=0o700)
    try:
        account.give(draft)
        where = data_argument(draft, account)
        encoding = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        words = [programs.path("initdb"), "-D", where, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8"]
        words += encoding if programs.major >= 17 else ["--locale=C"]
        run([*words, *([] if sync else ["--no-sync"])], draft, account)
        run([programs.path("postgres"), "--single", "-D", where, SUPERUSER], draft, account, SETUP)
        draft.rename(data)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def run(command: list[str], folder: Path, account: Account, text: str = "") -> None:
    """Runs one of PostgreSQL's programs to its end; EmbeddedPostgresError with what it said if it failed."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, cwd=folder, env=environment(),
        start_new_session=True, **account.for_popen(),
    )  # fmt: skip
    said = done.stdout + done.stderr
    if done.returncode != 0 or "ERROR:" in said:
        raise EmbeddedPostgresError(explain(said, folder.parent))


def _copy_template(cluster: Cluster) -> None:
    """Fills the data folder from a copy made once per user and version; much quicker than creating it."""
    programs, account = cluster.programs, cluster.account
    digest = hashlib.sha256(repr((SETUP, programs.version, sys.platform)).encode()).hexdigest()[:8]
    template = Path(tempfile.gettempdir()) / f"codyverse-template-{os.geteuid()}-{programs.version}-{digest}"
    if not template.exists():
        draft = Path(tempfile.mkdtemp(prefix=template.name + ".", dir=template.parent))
        draft.chmod(0o711)
        _create(draft / "data", programs, account, sync=False)
        try:
            draft.rename(template)
        except OSError:  # somebody else was quicker
            shutil.rmtree(draft, ignore_errors=True)
    status = template.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise EmbeddedPostgresError(f"{template} belongs to somebody else: remove it and start again.")
    shutil.copytree(template / "data", cluster.data, symlinks=True)
    if account.is_other:
        for path in (cluster.data, *cluster.data.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def environment() -> dict[str, str]:
    """What PostgreSQL's processes may know of ours: no PG… variable can change what they do."""
    kept = ("PATH", "TMPDIR", "DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH")
    return {"LC_ALL": "C", **{name: os.environ[name] for name in kept if name in os.environ}}


def explain(said: str, folder: Path) -> str:
    """One sentence for what PostgreSQL wrote when it failed."""
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return f"The disk is full: PostgreSQL could not write to {folder}. Make room there, then start again."
    if "could not create shared memory segment" in said or "could not resize shared memory segment" in said:
        return "PostgreSQL got no shared memory: give this machine or container more (for Docker: --shm-size=256m)."
    if "could not look up effective user ID" in said:
        return (
            f"PostgreSQL does not run as user number {os.geteuid()}, who has no name on this system: add the user, "
            "or set DATABASE_URL."
        )
    if "Read-only file system" in said:
        return f"{folder} lies on a read-only disk: choose another folder with CODYVERSE_DATA."
    if "Permission denied" in said or "Operation not permitted" in said:
        return f"PostgreSQL may not write to {folder}: make it writable, or choose another folder with CODYVERSE_DATA."
    telling = [
        line for line in said.splitlines() if any(word in line for word in ("FATAL", "PANIC", "error"))
    ]
    last = (telling or said.strip().splitlines() or ["it said nothing"])[-1]
    return f"PostgreSQL did not start ({last.strip()}); its log is {folder / 'server.log'}."
