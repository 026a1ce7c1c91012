"""A process that is kept running: started, started again when it dies, replaced without a gap, ended."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from codyverse.core import processes
from config import ROOT

START_SECONDS = 120.0
"""So long a process may take until it is ready."""
DRAIN_SECONDS = 1.0
"""So long one that was replaced stays at least, for whoever connects to it at this very moment."""
STOP_SECONDS = 30.0
"""So long may what is under way take, once a process was asked to stop."""
LONGEST_PAUSE = 10.0
"""Between two starts of a process that dies while it starts."""
Say = Callable[[str], None]


@dataclass(eq=False)
class Running:
    """One started process; `leave_at` and `kill_at` are set (monotonic seconds) once another has taken its place."""

    process: subprocess.Popen[bytes]
    socket: Path | None
    number: int
    began: float = field(default_factory=time.monotonic)
    leave_at: float = float("inf")
    kill_at: float = float("inf")
    asked: bool = False
    drained: threading.Event = field(default_factory=threading.Event)

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal; harmless if it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def tell_all(self, number: signal.Signals) -> None:
        """Also to what it started, which may outlive it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


@dataclass(eq=False)
class Part:
    """A place in the cluster. `tick` does what is due and never waits; everything happens in the supervisor's thread.

    `command` makes the command line, given the socket to listen on. A part with a `socket` gets a new one at each start,
    which is moved to that path once it answers: from then on whoever connects reaches the new process.
    """

    name: str
    command: Callable[[Path | None], list[str]]
    env: dict[str, str]
    say: Say
    socket: Path | None = None
    ready: Callable[[Running], bool] = lambda running: running.lives
    stop: signal.Signals = signal.SIGTERM
    after_death: signal.Signals = signal.SIGKILL
    before_start: Callable[[], object] = lambda: None
    inherits: tuple[int, ...] = ()
    starts: int = 0
    current: Running | None = None
    coming: Running | None = None
    leaving: list[Running] = field(default_factory=list)
    ended: bool = False
    _failures: int = 0
    _not_before: float = 0.0

    def tick(self) -> None:
        """Look, and do what is due."""
        at = time.monotonic()
        if self.current is not None and not self.current.lives:
            self._died(self.current)
            self.current = None
        if self.coming is not None:
            self._look_at_coming(self.coming, at)
        elif self.current is None and not self.ended and at >= self._not_before:
            self._start()
        for old in list(self.leaving):
            self._see_off(old, at)

    def renew(self) -> int:
        """Start a process that will take the place of the present one; the number of starts that tells it apart."""
        if self.coming is None:
            self._start()
        return self.starts

    def is_renewed(self, number: int) -> bool | None:
        """Whether the process of that start, or a later one, is in its place; None as long as that is open."""
        if self.coming is not None:
            return None
        return self.current is not None and self.current.number >= number

    def end(self) -> None:
        """Ask it to stop, for good."""
        self.ended = True
        for each in (self.current, self.coming):
            if each is not None:
                self._let_go(each, wait=0)
        self.current = self.coming = None

    @property
    def is_gone(self) -> bool:
        return self.ended and not self.leaving

    # --- steps ---

    def _start(self) -> None:
        self.starts += 1
        self.before_start()
        own = self.socket and self.socket.with_name(f"{self.socket.stem}.{self.starts}.sock")
        if own is not None:
            own.unlink(missing_ok=True)
        process = subprocess.Popen(
            self.command(own), cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, start_new_session=True,
            pass_fds=self.inherits,
            preexec_fn=processes.end_with_parent,  # noqa: PLW1509 - the other threads sleep and hold nothing
        )  # fmt: skip
        self.coming = Running(process, own, self.starts)

    def _look_at_coming(self, coming: Running, at: float) -> None:
        if not coming.lives or at > coming.began + START_SECONDS:
            coming.tell_all(signal.SIGKILL)
            coming.process.wait()
            self._failures += 1
            pause = min(LONGEST_PAUSE, 0.25 * 2**self._failures)
            self.say(
                f"{self.name} did not start (exit status {coming.process.returncode}); again in {pause:.1f} s"
            )
            self._not_before = at + pause
            self.coming = None
        elif self.ready(coming):
            if coming.socket is not None and self.socket is not None:
                _publish(coming.socket, self.socket)
            if self.current is not None:
                self._let_go(self.current, wait=DRAIN_SECONDS if self.socket else 0)
            self.current, self.coming, self._failures = coming, None, 0

    def _died(self, gone: Running) -> None:
        self.say(
            f"{self.name} (process {gone.process.pid}) ended with status {gone.process.returncode}; it is started again"
        )
        gone.tell_all(self.after_death)

    def _let_go(self, old: Running, wait: float) -> None:
        old.leave_at = time.monotonic() + wait
        old.kill_at = old.leave_at + 2 * STOP_SECONDS
        self.leaving.append(old)
        if wait:
            threading.Thread(target=_drain, args=(old,), daemon=True).start()
        else:
            old.drained.set()

    def _see_off(self, old: Running, at: float) -> None:
        if not old.lives:
            old.tell_all(signal.SIGKILL)
            self.leaving.remove(old)
        elif at >= old.kill_at:
            old.tell_all(signal.SIGKILL)
        elif (
            at >= old.leave_at
            and not old.asked
            and (old.drained.is_set() or at >= old.leave_at + STOP_SECONDS)
        ):
            old.asked = True
            old.tell(self.stop)


def _publish(own: Path, known: Path) -> None:
    """Let whoever connects to the known path reach the process at its own one, from one moment to the next."""
    draft = known.with_suffix(".new")
    draft.unlink(missing_ok=True)
    os.link(own, draft)
    draft.replace(known)


def _drain(old: Running) -> None:
    """Those who connected before are served in their order, so once this request is answered none of them waits any more."""
    _asked(old, STOP_SECONDS)
    old.drained.set()


def answers(running: Running) -> bool:
    """Whether the process answers a request on its own socket, whatever it says."""
    return _asked(running, 0.3)


def _asked(running: Running, patience: float) -> bool:
    if running.socket is None or not running.socket.exists():
        return False
    client = http.client.HTTPConnection("localhost")
    try:
        client.sock = socket.socket(socket.AF_UNIX)
        client.sock.settimeout(patience)
        client.sock.connect(str(running.socket))
        client.request("GET", "/health/live", headers={"X-Forwarded-For": "127.0.0.1"})
        client.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()
    return True


def lives_for(seconds: float) -> Callable[[Running], bool]:
    """Ready once it has lived so long, for a process that can not be asked."""
    return lambda running: running.lives and time.monotonic() >= running.began + seconds
