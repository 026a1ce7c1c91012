"""flask serve: everything that `make run` needs, in one process that cleans up behind itself."""

import contextlib
import errno
import http.client
import io
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import OperationalError

from codyverse.cli import faults, schema, web_server
from codyverse.cli.web_server import ENDS, STOP_SECONDS, Running
from codyverse.core import cache, metrics_folder, processes
from codyverse.core.database import db
from codyverse.core.embedded import EmbeddedPostgresError, for_process
from codyverse.core.embedded.valkey import EmbeddedValkey, ValkeyError
from codyverse.courses import queries
from config import ROOT, Settings, reachable_host

START_SECONDS = 60
LOOK_SECONDS = 1
"""So often it is looked whether server and worker still run."""


class Stopped(BaseException):
    """Somebody asked the server to stop: Ctrl-C, SIGTERM, or the terminal was closed."""


@click.command("serve")
@click.option("--demo", is_flag=True, help="First add demo learners with weeks of history.")
@with_appcontext
@click.pass_context
def serve(context: click.Context, demo: bool) -> None:
    """Start the database, bring it up to date, load the courses, serve the pages and run the jobs until Ctrl-C.

    HOST and PORT say where, WEB_WORKERS and WEB_THREADS with how many processes and threads.

    \b
    Example: PORT=8001 flask serve --demo
    """
    settings: Settings = current_app.extensions["settings"]
    if "MAKELEVEL" in os.environ:  # a killed make must not leave its server behind
        processes.end_with_parent()
    try:
        with stoppable():
            check_port(settings)
            with _shared(settings) as (more, anew), web_server.made_ready(settings, more, anew=anew) as begin:
                prepare_database(context, settings)
                _serve(context, settings, begin, more, demo=demo)
    except ValkeyError as fault:
        raise click.ClickException(str(fault)) from fault
    except Stopped:
        click.echo("\nCody Verse has stopped. Everything is saved.")


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Turns the signals that end a program into Stopped, once: after that the clean-up is not disturbed."""

    def stop(*_: object) -> NoReturn:
        for each in ENDS:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped

    before = {each: signal.signal(each, stop) for each in ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is stop:
                signal.signal(number, handler)


@contextlib.contextmanager
def _shared(settings: Settings) -> Iterator[tuple[dict[str, str], bool]]:
    """What several processes share: a folder for their numbers, and a Valkey if there are more web processes than one.

    The variables that tell them, and whether the application has to be loaded anew to follow them.
    """
    more = metrics_folder.prepare(settings.data_dir / "metrics")
    valkey = None
    if settings.web_workers > 1 and not settings.redis_url:
        valkey = EmbeddedValkey(settings.data_dir / "valkey").start()
        more["REDIS_URL"] = valkey.url
        use_valkey(valkey.url)
    try:
        yield more, valkey is not None
    finally:
        if valkey is not None:
            valkey.stop()


def use_valkey(url: str) -> None:
    """Have also this process, which loads the courses, keep its cache where those that are started will look."""
    settings: Settings = current_app.extensions["settings"]
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    cache.install(app, url, settings.redis_timeout_ms / 1000)


def check_port(settings: Settings) -> None:
    """Says before any work is done that the port cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as fault:
            raise click.ClickException(_port_fault(settings, fault)) from fault


def _port_fault(settings: Settings, fault: OSError) -> str:
    if fault.errno == errno.EADDRINUSE:
        other = settings.port + 1 if settings.port < 65535 else 8000
        return f"Port {settings.port} is in use, perhaps by Cody Verse itself: choose another one, for example PORT={other}."
    if fault.errno == errno.EACCES:
        return f"Port {settings.port} may only be opened by root: choose one from 1024 on, for example PORT=8000."
    return f"HOST={settings.host} is not an address of this machine: write 127.0.0.1 or 0.0.0.0."


def prepare_database(context: click.Context, settings: Settings) -> None:
    """Starts the database, if it is the embedded one, and brings its tables up to date."""
    try:
        if settings.database_url is None:
            for_process(settings.data_dir)
        if not schema.is_newest():
            logging.getLogger("alembic").setLevel(logging.WARNING)
            _run(context, "db", "upgrade")
    except EmbeddedPostgresError as fault:
        raise click.ClickException(str(fault)) from fault
    except OperationalError as fault:
        raise faults.away(fault) from fault
    db.engine.dispose()


def load_courses(context: click.Context, settings: Settings, *, demo: bool) -> None:
    """The courses, in one line, and demo learners if they are wanted."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            _run(context, "content", "apply", str(settings.content_dir))
    except BaseException:
        click.echo(said.getvalue(), nl=False)
        raise
    click.echo("".join(said.getvalue().splitlines(keepends=True)[-1:]), nl=False)
    if demo:
        _run(context, "demo", "seed")
    db.session.remove()
    db.engine.dispose()


def _run(context: click.Context, *words: str) -> None:
    """Runs another `flask` command in this process, on this application; ends with it if it fails."""
    root = context.find_root()
    code = root.command.main(list(words), prog_name="flask", standalone_mode=False, obj=root.obj)
    if code:
        raise click.exceptions.Exit(code)


def _serve(
    context: click.Context, settings: Settings, begin: web_server.Begin, more: dict[str, str], *, demo: bool
) -> None:
    """Runs the web server and the worker of jobs until they are stopped.

    Pages are served while the courses are looked through, unless there are none yet: nobody shall see an empty site. The
    worker waits until the pages answer, for somebody waits for these.
    """
    load_first = demo or not queries.catalogue()
    if load_first:
        load_courses(context, settings, demo=demo)
    server = begin()
    worker: Running | None = None
    try:
        if not load_first:
            load_courses(context, settings, demo=False)
        _wait_until_it_answers(settings, server)
        if server.poll() is None:
            _greet(settings)
        while (code := _ended(server, 0 if worker is None else LOOK_SECONDS)) is None:
            # begun when the pages answer; as with the web server's workers, one that crashed comes back
            if worker is None or worker.poll() is not None:
                worker = _start_worker(more)
    finally:
        if worker is not None:
            _ask_to_stop(worker)
        _stop(server)
        if worker is not None:
            _stop(worker)
    raise click.ClickException(
        f"The web server ended by itself (exit status {code}); what it said stands above."
    )


def _start_worker(more: dict[str, str]) -> Running:
    """The process of the jobs; it ends when this one does."""
    command = [sys.executable, "-P", "-m", "flask", "worker", "--beside-server", str(os.getpid())]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **more}, start_new_session=True)


def _ended(server: Running, seconds: float) -> int | None:
    """The exit status of the web server, None if it still runs after so long."""
    try:
        return server.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _wait_until_it_answers(settings: Settings, server: Running) -> None:
    """Returns when a worker has answered a request, whatever it said, or when the server has ended."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None:
        client = http.client.HTTPConnection(
            reachable_host(settings.host), settings.port, timeout=START_SECONDS
        )
        try:
            client.request("GET", "/health/live")
            client.getresponse()
            return
        except OSError as fault:
            if time.monotonic() > deadline:
                raise click.ClickException(
                    f"The web server did not answer within {START_SECONDS} s."
                ) from fault
            time.sleep(0.02)
        finally:
            client.close()


def _greet(settings: Settings) -> None:
    place = str(settings.data_dir) if settings.database_url is None else "the database of DATABASE_URL"
    lines = {
        "Cody Verse is running at": settings.base_url,
        "Everything is kept in": place,
        "To become its operator": ".venv/bin/flask users create --role operator you@example.org",
        "To stop it": "Ctrl-C",
    }
    click.echo("\n" + "\n".join(f"  {what:<26}{answer}" for what, answer in lines.items()) + "\n")


def _ask_to_stop(process: Running) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()


def _stop(server: Running) -> None:
    """Asks the server and its workers to finish, and makes sure that they did."""
    _ask_to_stop(server)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
