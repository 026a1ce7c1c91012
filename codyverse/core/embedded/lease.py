"""Who uses the embedded database: shared locks that the kernel releases whatever happens to their holder.

Three lock files lie in the database's folder:

- ``users.lock``: every user holds it shared; the keeper waits for it exclusively and then stops PostgreSQL.
- ``start.lock``: held exclusively while one process looks whether PostgreSQL runs, starts it, or waits for its end.
- ``keeper.lock``: held exclusively by the keeper as long as it lives.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from codyverse.core.embedded.cluster import DATABASE, ROLE, Cluster, environment, explain, prepare
from codyverse.core.embedded.errors import EmbeddedPostgresError
from codyverse.core.embedded.pidfile import PidFile

KEEPER = Path(__file__).with_name("keeper.py")
PATIENCE = 90.0
"""Seconds to wait for another process that is stopping or starting the same database."""

_keepers: dict[Path, subprocess.Popen[bytes]] = {}  # started by this process: to be waited for when they end


class Lease:
    """The right to use one running database until ``release`` (or the end of this process)."""

    def __init__(self, folder: Path, *, throwaway: bool = False) -> None:
        self.folder = folder
        self._throwaway = throwaway
        self._process = os.getpid()
        self._lock = -1
        self.url = ""

    def take(self) -> Self:
        """Waits until the database runs, starting it if nobody did. EmbeddedPostgresError if it cannot."""
        try:
            self.folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            self._lock = _open(self.folder / "users.lock")
            _wait_for(
                self._lock, fcntl.LOCK_SH, f"The database in {self.folder} is still stopping; try again."
            )
            self.restore()
        except OSError as fault:
            self._close()
            raise EmbeddedPostgresError(_unusable(fault, self.folder)) from fault
        except BaseException:
            self._close()
            raise
        return self

    def restore(self) -> None:
        """Starts the database again if it has gone although this lease is held; otherwise does nothing."""
        with _exclusively(self.folder / "start.lock"):
            self.url = self._url(_running(self.folder) or _start(self.folder, self._throwaway))

    def is_running(self) -> bool:
        """Whether the database accepts connections right now (cheap: some microseconds)."""
        return _keeper_lives(self.folder) and _ready_socket(self.folder) is not None

    def release(self) -> None:
        """Gives the lease back; the last one to do so returns when PostgreSQL has stopped. Harmless twice."""
        if self._lock < 0:
            return
        self._close()
        if os.getpid() == self._process:
            _wait_if_last(self.folder)

    def _close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _url(self, socket: Path) -> str:
        return f"postgresql+psycopg2://{ROLE}@/{DATABASE}?host={quote(str(socket))}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def acquire(data_dir: Path) -> Lease:
    """A lease on the database kept below ``data_dir`` (CODYVERSE_DATA)."""
    return Lease(Path(data_dir).resolve() / "postgres").take()


@contextlib.contextmanager
def running(data_dir: Path) -> Iterator[str]:
    """The URL of the database below ``data_dir``, for the length of a ``with`` block."""
    with acquire(data_dir) as lease:
        yield lease.url


@contextlib.contextmanager
def throwaway() -> Iterator[str]:
    """The URL of a fresh, fast, forgetful database that is removed at the end, also after kill -9."""
    folder = Path(tempfile.mkdtemp(prefix="codyverse-test-")).resolve()
    folder.chmod(0o711)
    try:
        with Lease(folder, throwaway=True).take() as lease:
            yield lease.url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unusable(fault: OSError, folder: Path) -> str:
    if fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return explain(str(fault), folder)
    return (
        f"{fault.filename or folder} cannot be used ({fault.strerror}): run this as its owner, or choose another "
        "folder with CODYVERSE_DATA."
    )


_of_this_process: dict[Path, Lease] = {}
_one_at_a_time = threading.Lock()


def for_process(data_dir: Path) -> Lease:
    """The lease of this process, taken at the first call and given back at its end.

    Each call makes sure that the database still runs, which is cheap: call it for every new connection.
    """
    data_dir = Path(data_dir).resolve()
    with _one_at_a_time:
        lease = _of_this_process.get(data_dir)
        if lease is None:
            lease = _of_this_process[data_dir] = acquire(data_dir)
            atexit.register(lease.release)
        elif not lease.is_running():
            lease.restore()
    return lease


def _running(folder: Path) -> Path | None:
    """The socket's folder of the running server, None if none runs; waits for one that starts or stops."""
    deadline = time.monotonic() + PATIENCE
    while _keeper_lives(folder):
        socket = _ready_socket(folder)
        if socket is not None:
            return socket
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"PostgreSQL in {folder} is running but does not get ready; its log is {folder / 'server.log'}."
            )
        time.sleep(0.01)
    _wait_for_orphan(folder, deadline)
    return None


def _ready_socket(folder: Path) -> Path | None:
    state = PidFile.read(folder / "data")
    return state.socket_folder if state is not None and state.ready and state.lives() else None


def _wait_for_orphan(folder: Path, deadline: float) -> None:
    """Waits for a server whose keeper was killed; removes a pid file whose process is gone."""
    asked = False
    started = time.monotonic()
    while (state := PidFile.read(folder / "data")) is not None:
        kind = state.owner_kind()
        if kind == "nobody":
            (folder / "data" / "postmaster.pid").unlink(missing_ok=True)
            return
        if kind == "foreign" or time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"Another PostgreSQL (process {state.pid}) already runs on {folder / 'data'}: stop it, "
                "or set DATABASE_URL to its address."
            )
        if not asked and time.monotonic() - started > 0.5:  # Linux has already told it; macOS has not
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(state.pid, signal.SIGINT)
            asked = True
        time.sleep(0.01)


def _start(folder: Path, throwaway: bool) -> Path:
    cluster = prepare(folder, throwaway=throwaway)
    socket = cluster.socket_folder()
    for left in socket.glob(".s.PGSQL.*"):  # by a server that was killed: no other uses this folder
        left.unlink()
    log = folder / "server.log"
    before = log.stat().st_size if log.exists() else 0
    if not _launch_keeper(cluster, socket, log):
        said = log.read_bytes()[before:].decode(errors="replace") if log.exists() else ""
        raise EmbeddedPostgresError(explain(said, folder))
    return socket


def _launch_keeper(cluster: Cluster, socket: Path, log: Path) -> bool:
    """Starts the keeper and waits for its word; False if it ended without one."""
    lock = _open(cluster.folder / "keeper.lock")
    hear, tell = os.pipe()
    try:
        # Nobody else may start one now; whoever only looks (`_keeper_lives`) holds this lock for a moment.
        _wait_for(
            lock, fcntl.LOCK_EX, f"Another program holds {cluster.folder / 'keeper.lock'}: end it, try again."
        )
        orders = {
            "command": cluster.command(socket), "data": str(cluster.data), "socket": str(socket),
            "environment": environment(),
            "account": cluster.account.for_popen(), "users_lock": str(cluster.folder / "users.lock"),
            "log": str(log), "report": tell, "keeper_lock": lock,
            "remove": str(cluster.folder) if cluster.throwaway else None,
        }  # fmt: skip
        with log.open("ab") as sink:
            keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(KEEPER), json.dumps(orders)],
                pass_fds=(tell, lock), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd="/",
                start_new_session=True,
            )  # fmt: skip
        _keepers[cluster.folder] = keeper
        os.close(tell)
        tell = -1
        return os.read(hear, 5) == b"ready"
    finally:
        for each in (lock, hear, tell):
            if each >= 0:
                os.close(each)


def _keeper_lives(folder: Path) -> bool:
    mine = _keepers.get(folder)
    if mine is not None and mine.poll() is not None:
        del _keepers[folder]
    try:
        lock = os.open(folder / "keeper.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _wait_if_last(folder: Path) -> None:
    """Returns when PostgreSQL has stopped, or at once if somebody else still uses it."""
    with contextlib.suppress(FileNotFoundError), _exclusively(folder / "start.lock"):
        deadline = time.monotonic() + PATIENCE
        while _keeper_lives(folder) and time.monotonic() < deadline:
            lock = os.open(folder / "users.lock", os.O_RDWR)
            try:
                if not _try(lock, fcntl.LOCK_EX) and _try(lock, fcntl.LOCK_SH):
                    return  # shared by others: not the last
            finally:
                os.close(lock)
            time.sleep(0.005)
    if folder in _keepers:
        _keepers.pop(folder).wait(PATIENCE)


@contextlib.contextmanager
def _exclusively(path: Path) -> Iterator[None]:
    lock = _open(path)
    try:
        _wait_for(
            lock, fcntl.LOCK_EX, f"Another process has been starting the database for too long ({path})."
        )
        yield
    finally:
        os.close(lock)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _try(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for(lock: int, kind: int, complaint: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _try(lock, kind):
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(complaint)
        time.sleep(0.005)
