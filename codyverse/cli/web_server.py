"""The web server of `flask serve`, as a process of its own that starts with everything loaded.

Where the system has fork, it splits off from this process, which has loaded the application to know its commands: nothing
is loaded twice, and what is loaded is one piece of memory for both. It splits off before this process has connected to
anything, gets ready meanwhile, and serves when it is told to. Why: docs/decisions/second-start.md.
"""

import contextlib
import contextvars
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Protocol

from codyverse.core import processes
from config import ROOT, Settings

PAGES_AT_ONCE = 1024
"""Requests beside the streams that one process takes before it lets others wait."""
STOP_SECONDS = 8
"""So long may requests that are under way take once the server has been asked to stop."""
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GO = b"go"


class Running(Protocol):
    """A child process, in the words of `subprocess`."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def terminate(self) -> None: ...


Begin = Callable[[], Running]


@contextlib.contextmanager
def made_ready(settings: Settings, more: Mapping[str, str], *, anew: bool) -> Iterator[Begin]:
    """What lets the server serve, once. If it never is, the server is gone when the block ends; else the caller ends it.

    `more` are variables of its environment. With `anew` it loads the application itself, for it would differ from ours.
    """
    if anew or not sys.platform.startswith("linux"):
        yield lambda: _started_anew(settings, more)
        return
    hear, tell = os.pipe()
    with os.fdopen(tell, "wb", buffering=0) as word:
        server = Forked(partial(_serve_when_told, settings, more, hear, tell))
        os.close(hear)

        def begin() -> Running:
            with contextlib.suppress(BrokenPipeError):  # it has ended, which whoever waits for it sees
                word.write(GO)
            return server

        yield begin
    # if it was told nothing it hears now that there is nothing to come


def _words(settings: Settings) -> list[str]:
    """Granian's command line: the engine of production, with pages and streams in one process."""
    return [
        "--interface", "asgi", "--factory", "--loop", "asyncio", "--no-ws",
        "--host", settings.host, "--port", str(settings.port), "--workers", str(settings.web_workers),
        "--backpressure", str(settings.streams_max + PAGES_AT_ONCE),
        "--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", str(STOP_SECONDS - 2),
        "--log-level", "warning", "app:site",
    ]  # fmt: skip


def _started_anew(settings: Settings, more: Mapping[str, str]) -> Running:
    command = [sys.executable, "-P", str(Path(processes.__file__)), *_words(settings)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **more}, start_new_session=True)


class Forked:
    """A child that runs `act` in a session of its own and ends with us. To be made from the only thread there is."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._process = ForkProcess(target=_apart, args=(act,), name="web server")
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # our handlers are not to run over there
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def poll(self) -> int | None:
        """The exit status, negative for the signal that ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The same, after at most `timeout` seconds. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired("web server", timeout or 0)
        return code

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.terminate()


def _apart(act: Callable[[], None]) -> None:
    """In the child: nothing of what its parent was about goes on here, neither its signals nor its contexts."""
    os.setsid()
    for number in ENDS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    processes.end_with_parent()
    contextvars.Context().run(act)


def _serve_when_told(settings: Settings, more: Mapping[str, str], hear: int, tell: int) -> None:
    os.close(tell)
    os.chdir(ROOT)
    os.environ.update(more)
    os.register_at_fork(after_in_child=processes.end_with_parent)
    multiprocessing.set_start_method("fork", force=True)  # granian's workers: with what is loaded here
    import_module("app").get_ready()
    from granian.cli import cli

    with os.fdopen(hear, "rb", buffering=0) as word:
        if word.read(len(GO)) != GO:  # whoever would have said it is gone, or has no use for us
            return
    cli.main(args=_words(settings), prog_name="granian", auto_envvar_prefix="GRANIAN")
