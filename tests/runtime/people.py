"""Starts users of the embedded database and looks at the processes they leave."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

USER = Path(__file__).with_name("user.py")


class Person:
    """One process that uses the database in `folder`."""

    def __init__(self, folder: Path, kind: str = "lease", **more: Any) -> None:
        self.url = ""
        self.process = subprocess.Popen(
            [sys.executable, str(USER), kind, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more
        )  # fmt: skip

    def ask(self, line: str) -> Any:
        """The answer to a line; AssertionError with the sentence if it failed."""
        self.tell(line)
        return self.hear()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        assert "answer" in said, said
        return said["answer"]

    def fault(self, line: str) -> str:
        """The sentence with which a line is refused."""
        self.tell(line)
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        return str(said["fault"])

    def take(self) -> "Person":
        self.url = self.ask("take")
        return self

    def sql(self, statement: str) -> Any:
        return self.ask(f"sql {self.url} {statement}")

    def leave(self) -> None:
        """Ends as programs do: standard input closed, clean-up run."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(timeout=30) == 0

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process that works in `folder` or below, or names it on its command line, but our own users."""
    found = []
    for each in psutil.process_iter():
        try:
            line = " ".join(each.cmdline())
            if str(USER) in line or each.pid == os.getpid() or each.status() == psutil.STATUS_ZOMBIE:
                continue
            if str(folder) in line or Path(each.cwd()).is_relative_to(folder):
                found.append(each)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def kill_all(folder: Path) -> None:
    """kill -9 for keeper and server, in whatever order."""
    for each in processes_of(folder):
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


def keeper_of(folder: Path) -> psutil.Process:
    return next(each for each in processes_of(folder) if "keeper.py" in " ".join(each.cmdline()))


def postmaster_of(folder: Path) -> psutil.Process:
    """The server's first process: the one whose parent is no PostgreSQL."""
    servers = [each for each in processes_of(folder) if each.name() == "postgres"]
    return next(each for each in servers if (parent := each.parent()) is None or parent.name() != "postgres")


def answers(person: Person, statement: str) -> Any:
    """What the database says to somebody who connects anew; None while it does not answer."""
    try:
        return person.take().sql(statement)
    except AssertionError:
        return None


def is_quiet(folder: Path) -> bool:
    return not processes_of(folder)
