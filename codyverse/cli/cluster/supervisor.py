"""Starts the cluster's processes in their order, watches them, replaces them on SIGHUP, and ends them."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from codyverse.cli import serve
from codyverse.cli.cluster import nginx
from codyverse.cli.cluster.parts import Part, Running, answers, lives_for
from codyverse.cli.cluster.state import Refused, State
from codyverse.cli.web_server import PAGES_AT_ONCE
from codyverse.core import metrics_folder, processes
from codyverse.core.embedded import EmbeddedPostgresError, Lease, for_process
from codyverse.core.embedded.replica import replica_of
from codyverse.core.embedded.sockets import socket_folder
from codyverse.core.embedded.valkey import EmbeddedValkey
from codyverse.http import admission
from config import Settings

TICK_SECONDS = 0.05
READY_SECONDS = 180
RESTART_SECONDS = 180
"""For one process to be replaced."""


class Supervisor:
    """A cluster of `web` web processes, run until Stopped is raised by a signal."""

    def __init__(self, settings: Settings, folder: Path, web: int) -> None:
        self.settings = settings
        self.folder = folder
        self.sockets = socket_folder(folder / "s")
        self.parts: list[Part] = []
        self.restarts = 0
        self.fault = ""
        self._web = web
        self._env = dict(os.environ)
        self._leases: list[Lease] = []
        self._mending: threading.Thread | None = None
        self._wants_restart = False
        self._told = State(0, "")

    def run(self, context: click.Context, *, demo: bool) -> None:
        """Everything, from the databases to nginx; ends by an exception only."""
        with self._listening() as front:
            try:
                valkey = self._valkey()
                self._databases(context, demo=demo)
                self._others(front)
                if valkey is not None:
                    self.parts.insert(0, valkey)
                self._until(lambda: all(part.current for part in self.parts), READY_SECONDS, "get ready")
                self._greet()
                signal.signal(signal.SIGHUP, self._hear)
                while True:
                    self._tick()
                    if self._wants_restart:
                        self._restart()
            finally:
                self._end()

    def _hear(self, *_: object) -> None:
        self._wants_restart = True

    @contextlib.contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        """The socket that everybody connects to. It is held here, so that nobody is turned away while nginx is replaced."""
        host, port = self.settings.host, self.settings.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family, backlog=1024) as front:
            front.set_inheritable(True)
            yield front

    # --- what they stand on ---

    def _valkey(self) -> Part | None:
        """The Valkey, if REDIS_URL names none; started before anything else asks for it."""
        if self.settings.redis_url:
            return None
        server = EmbeddedValkey(self.folder / "s")
        part = Part(
            "valkey",
            lambda _: server.command(),
            dict(self._env),
            click.echo,
            ready=lambda _: server.answers(),
        )
        self._env["REDIS_URL"] = server.url
        self.parts = [part]
        self._until(lambda: part.current is not None, READY_SECONDS, "start Valkey")
        self.parts = []
        serve.use_valkey(server.url)
        return part

    def _databases(self, context: click.Context, *, demo: bool) -> None:
        """The primary with its tables and courses, then its replica, if DATABASE_URL names none."""
        serve.prepare_database(context, self.settings)
        serve.load_courses(context, self.settings, demo=demo)
        if self.settings.database_url is not None:
            return
        primary = for_process(self.settings.data_dir)
        replica = replica_of(primary, self.settings.data_dir / "replica")
        self._leases = [primary, replica]
        self._env |= {"DATABASE_URL": primary.url, "REPLICA_URLS": replica.url}

    def _mend_databases(self) -> None:
        """A database that is gone with its keeper is started again, in a thread, for that may take a while."""
        if self._mending is not None and self._mending.is_alive():
            return
        gone = [lease for lease in self._leases if not lease.is_running()]
        if gone:
            self._mending = threading.Thread(target=_restore, args=(gone,), daemon=True)
            self._mending.start()

    # --- what runs on them ---

    def _others(self, front: socket.socket) -> None:
        self._env |= {"PROXY_HOPS": str((self.settings.proxy_hops or 0) + 1), "WEB_WORKERS": "1"}
        self._env["BASE_URL"] = self.settings.base_url
        metrics = self.folder / "metrics"
        self._env |= metrics_folder.prepare(metrics)
        flask = [sys.executable, "-P", "-m", "flask"]
        web = [self.sockets / f"web-{number}.sock" for number in range(1, self._web + 1)]
        for path in web:
            self._add(path.stem, self._pages, socket=path, ready=answers)
        streams = self.sockets / "stream.sock"
        self._add("stream", self._streams, socket=streams, ready=answers)
        self._add("worker", lambda _: [*flask, "worker"], ready=lives_for(1))
        self._add_nginx(front, web, streams)
        for part in self.parts:
            part.before_start = lambda: metrics_folder.prepare(metrics)

    def _add(
        self,
        name: str,
        command: Callable[[Path | None], list[str]],
        *,
        ready: Callable[[Running], bool],
        socket: Path | None = None,
    ) -> Part:
        part = Part(name, command, self._env, click.echo, socket=socket, ready=ready)
        self.parts.append(part)
        return part

    def _pages(self, path: Path | None) -> list[str]:
        threads = str(admission.threads_for(self.settings.web_threads, self.settings.web_queue))
        return [
            *_granian(path, kill_after=20),
            "--interface",
            "wsgi",
            "--blocking-threads",
            threads,
            "app:app",
        ]

    def _streams(self, path: Path | None) -> list[str]:
        most = str(self.settings.streams_max + PAGES_AT_ONCE)
        words = [
            "--interface",
            "asgi",
            "--factory",
            "--loop",
            "asyncio",
            "--backpressure",
            most,
            "app:stream",
        ]
        return [*_granian(path, kill_after=5), *words]

    def _add_nginx(self, front: socket.socket, web: list[Path], streams: Path) -> None:
        host, port = front.getsockname()[:2]
        text = nginx.configuration(
            self.sockets,
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            web,
            streams,
            most_bytes=self.settings.max_body_bytes,
            proxies_before=self.settings.proxy_hops or 0,
        )
        file = self.folder / "nginx.conf"
        file.write_text(text, encoding="utf-8")
        words = [nginx.find(), "-e", str(self.folder / "nginx.log"), "-c", str(file)]
        part = self._add("nginx", lambda _: words, ready=lives_for(0.3))
        part.env = self._env | {
            "NGINX": f"{front.fileno()};"
        }  # sockets that it takes over, as from an older nginx
        part.inherits = (front.fileno(),)
        part.stop = part.after_death = (
            signal.SIGQUIT
        )  # what is under way is finished, also by orphaned workers

    # --- the loop ---

    def _tick(self) -> None:
        for part in self.parts:
            part.tick()
        self._mend_databases()
        self._write()
        time.sleep(TICK_SECONDS)

    def _until(self, fact: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not fact():
            if time.monotonic() > deadline:
                raise Refused(
                    f"The cluster did not {what} within {seconds:.0f} s; what it said stands above."
                )
            self._tick()

    def _restart(self) -> None:
        """Replace the processes of Cody Verse one after another: the next only when the one before is in its place."""
        self._wants_restart = False
        self.fault = ""
        for part in self.parts:
            if part.name not in ("nginx", "valkey") and not self._replace(part):
                self.fault = (
                    f"{part.name} could not be replaced, the old one goes on; the cluster's output tells why."
                )
                break
        self._until(
            lambda: not any(part.leaving for part in self.parts), RESTART_SECONDS, "let the old ones go"
        )
        self.restarts += 1
        click.echo(self.fault or "Every process was replaced.")

    def _replace(self, part: Part) -> bool:
        """Whether a new process is in the place of the old one, which stays until then."""
        number = part.renew()
        self._until(lambda: part.is_renewed(number) is not None, RESTART_SECONDS, f"replace {part.name}")
        return bool(part.is_renewed(number))

    def _write(self) -> None:
        parts = {
            part.name: {"pid": part.current.process.pid if part.current else None, "starts": part.starts}
            for part in self.parts
        }
        found = State(os.getpid(), self.settings.base_url, self.restarts, self.fault, parts)
        if found != self._told:
            self._told = found
            found.write(self.folder)

    def _greet(self) -> None:
        click.echo(f"\n  Cody Verse is running at  {self.settings.base_url}")
        click.echo(f"  Everything is kept in     {self.settings.data_dir}")
        click.echo("  Its processes             flask cluster status")
        click.echo("  After an update           flask cluster restart")
        click.echo("  To stop it                Ctrl-C\n")

    def _end(self) -> None:
        """nginx first, so that what is under way is finished; then the others, Valkey last; the databases in the end."""
        for names in ({"nginx"}, {part.name for part in self.parts} - {"nginx", "valkey"}, {"valkey"}):
            those = [part for part in self.parts if part.name in names]
            for part in those:
                part.end()
            while not all(part.is_gone for part in those):
                for part in those:
                    part.tick()
                time.sleep(TICK_SECONDS)
        for lease in reversed(self._leases):
            lease.release()


def _restore(leases: list[Lease]) -> None:
    for lease in leases:
        try:
            lease.restore()
        except EmbeddedPostgresError as fault:
            click.echo(str(fault), err=True)
            time.sleep(1)


def _granian(path: Path | None, kill_after: int) -> list[str]:
    return [
        sys.executable, "-P", str(Path(processes.__file__)), "--uds", str(path), "--uds-permissions", "384", "--no-ws",
        "--workers", "1", "--respawn-failed-workers", "--respawn-interval", "0.5",
        "--workers-kill-timeout", str(kill_after), "--log-level", "warning",
    ]  # fmt: skip
