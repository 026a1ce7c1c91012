"""A PostgreSQL of a test's own that can be stopped, killed and started again on the same data."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2

from codyverse.core.embedded import cluster
from tests import frozen
from tests.places import quick_folder

READY_SECONDS = 30


class Postgres:
    """The server of one folder; `url` stays the same however often it comes and goes."""

    def __init__(self, folder: Path) -> None:
        self._cluster = cluster.prepare(folder, throwaway=True)
        self._socket = self._cluster.socket_folder()
        self.url = f"postgresql+psycopg2://codyverse@/codyverse?host={self._socket}&port={cluster.PORT}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._process = subprocess.Popen(
            self._cluster.command(self._socket),
            cwd=self._cluster.data,
            env=cluster.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **self._cluster.account.for_popen(),
        )
        deadline = time.monotonic() + READY_SECONDS
        while True:
            with contextlib.suppress(psycopg2.OperationalError):
                psycopg2.connect(
                    host=str(self._socket), port=cluster.PORT, user="codyverse", dbname="codyverse"
                ).close()
                return
            assert self._process.poll() is None, "PostgreSQL ended while starting"
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.02)

    def start_again(self) -> None:
        """Start it, unless it runs."""
        if self._process is None:
            self.start()

    def restart(self) -> None:
        """All connections break; a moment later it is there again."""
        self.stop()
        self.start()

    @property
    def pid(self) -> int:
        """Of the server, which must run."""
        assert self._process is not None
        return self._process.pid

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT breaks all connections and stops in order; SIGQUIT stops as a crash does."""
        if self._process is not None:
            frozen.thaw(self._process.pid)
            os.kill(self._process.pid, how)
            self._process.wait(30)
            self._process = None


@contextlib.contextmanager
def own_postgres() -> Iterator[Postgres]:
    """A running server in a folder that is removed at the end."""
    folder = quick_folder("cv-pg-")
    made = Postgres(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
