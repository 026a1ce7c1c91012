"""Keeps one PostgreSQL running as long as somebody uses it; a process of its own, standard library only.

It is started by ``lease.py`` in a session of its own with one argument, a JSON object (see ``Orders``). It starts
PostgreSQL as its child, reports ``ready`` on a pipe, and waits for the exclusive lock on the users' lock file. The
kernel grants that when the last user has gone, in whatever way, kill -9 included. Then it stops PostgreSQL and ends.
If PostgreSQL dies while it is in use, it is started again. If the keeper itself dies, Linux tells PostgreSQL to stop.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
LARGEST_LOG = 1_000_000
STARTS = 5
"""So many starts within a minute, then the keeper gives up."""


class Orders:
    """What the keeper was told: command, working directory, environment, user, and the files it needs."""

    def __init__(self, text: str) -> None:
        told = json.loads(text)
        self.command: list[str] = told["command"]
        self.data = Path(told["data"])
        self.socket: Path = Path(told["socket"])
        self.environment: dict[str, str] = told["environment"]
        self.account: dict[str, Any] = told["account"]
        self.users_lock: str = told["users_lock"]
        self.log = Path(told["log"])
        self.report: int = told["report"]
        self.keeper_lock: int = told["keeper_lock"]
        self.remove: str | None = told["remove"]


def die_with_parent() -> None:
    """Asks Linux for SIGINT (PostgreSQL's fast shutdown) when the keeper dies; runs after the change of user."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


LIBC = ctypes.CDLL(None) if sys.platform.startswith("linux") else None


class Keeper:
    """The loop: start, watch, start again or stop."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.happened: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.starts: list[float] = []

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.happened.put("stop"))
        threading.Thread(target=self.wait_for_last_user, daemon=True).start()
        while self.serve_once() and self.may_start_again():
            time.sleep(0.2)
        with contextlib.suppress(OSError):
            self.orders.socket.rmdir()
        if self.orders.remove:
            shutil.rmtree(self.orders.remove, ignore_errors=True)

    def wait_for_last_user(self) -> None:
        lock = os.open(self.orders.users_lock, os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)  # kept until the process ends
        self.happened.put("stop")

    def may_start_again(self) -> bool:
        self.starts = [each for each in self.starts if each > time.monotonic() - 60]
        return len(self.starts) < STARTS

    def serve_once(self) -> bool:
        """Runs PostgreSQL until it ends; True if it ended by itself."""
        self.starts.append(time.monotonic())
        log = os.open(self.orders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        server = subprocess.Popen(
            self.orders.command, cwd=self.orders.data, env=self.orders.environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (the other threads sleep in the kernel and hold nothing)
            **self.orders.account,
        )  # fmt: skip
        os.close(log)
        threading.Thread(target=self.wait_for_exit, args=(server,), daemon=True).start()
        reported = False
        while True:
            event = self.next_event(None if not reported else 60, server)
            if event == "stop":
                self.stop(server)
                return False
            if event == f"exit {server.pid}":
                return reported or self.orders.report < 0
            if event == "ready":
                self.tell_ready()
                reported = True
            elif event == "nothing":
                self.shorten_log()

    def next_event(self, patience: "float | None", server: "subprocess.Popen[bytes]") -> str:
        """The next thing that happened; without ``patience`` also looks whether PostgreSQL is ready."""
        while True:
            try:
                return self.happened.get(timeout=patience or 0.005)
            except queue.Empty:
                if patience is not None:
                    return "nothing"
                if self.is_ready(server.pid):
                    return "ready"

    def wait_for_exit(self, server: "subprocess.Popen[bytes]") -> None:
        server.wait()
        self.happened.put(f"exit {server.pid}")

    def is_ready(self, pid: int) -> bool:
        """PostgreSQL writes its state into the eighth line of its pid file."""
        with contextlib.suppress(OSError):
            lines = (self.orders.data / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[0] == str(pid) and lines[7].startswith("ready")
        return False

    def tell_ready(self) -> None:
        if self.orders.report >= 0:
            with contextlib.suppress(OSError):
                os.write(self.orders.report, b"ready")
            os.close(self.orders.report)
            self.orders.report = -1

    def stop(self, server: "subprocess.Popen[bytes]") -> None:
        """Fast shutdown, immediate if that takes a minute (or nothing is worth keeping), in the end by force."""
        steps = [(signal.SIGINT, 60), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)]
        for number, seconds in steps[1:] if self.orders.remove else steps:
            with contextlib.suppress(ProcessLookupError):
                os.kill(server.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(seconds)
                return

    def shorten_log(self) -> None:
        """Keeps the log and one older part; PostgreSQL appends, so its file may be cut under it."""
        with contextlib.suppress(OSError):
            if self.orders.log.stat().st_size > LARGEST_LOG:
                shutil.copyfile(self.orders.log, self.orders.log.with_suffix(".old"))
                os.truncate(self.orders.log, 0)


if __name__ == "__main__":
    Keeper(Orders(sys.argv[1])).run()
