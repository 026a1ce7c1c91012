"""Reads PostgreSQL's ``postmaster.pid`` and finds out whether the process it names is really that server."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MARK = "cluster_name=codyverse"


@dataclass(frozen=True)
class PidFile:
    """The parts of the file that matter here; its lines are documented in PostgreSQL's pidfile.h."""

    data: Path
    pid: int
    port: str
    socket_folder: Path
    ready: bool

    @classmethod
    def read(cls, data: Path) -> PidFile | None:
        """None if there is no such file."""
        try:
            lines = (data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        lines += [""] * (8 - len(lines))
        pid = int(lines[0]) if lines[0].strip().isdigit() else 0
        return cls(data, pid, lines[3], Path(lines[4]), lines[7].startswith("ready"))

    def lives(self) -> bool:
        """Whether the server is there: its process, or (seen from another container) somebody at its socket."""
        return (self.pid > 0 and _exists(self.pid)) or self._answers()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            return client.connect_ex(str(self.socket_folder / f".s.PGSQL.{self.port}")) == 0

    def owner_kind(self) -> Literal["nobody", "ours", "foreign"]:
        """Whose the named process is: no PostgreSQL on this folder, one started by a keeper, or another one."""
        if self.pid <= 0 or not _exists(self.pid):
            return "nobody"
        command = _command_line(self.pid)
        if "postgres" not in command or not self._works_here(command):
            return "nobody"
        return "ours" if MARK in command else "foreign"

    def _works_here(self, command: str) -> bool:
        """Every PostgreSQL process works in its data folder; where the system does not tell, the command does."""
        try:
            return Path(f"/proc/{self.pid}/cwd").samefile(self.data)
        except OSError:
            return str(self.data) in command


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        done = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return done.stdout
