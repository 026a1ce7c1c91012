"""flask cluster: a whole cluster on one machine, supervised; docs/cluster.md."""

import os
import signal
import time
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from codyverse.cli import serve
from codyverse.cli.cluster import state
from codyverse.cli.cluster.supervisor import Supervisor
from codyverse.core.embedded import EmbeddedPostgresError
from codyverse.core.embedded.valkey import ValkeyError
from config import Settings

RESTART_SECONDS = 900
cluster = AppGroup("cluster", help="Several web processes behind nginx, with a replica, on one machine.")


def _folder() -> Path:
    settings: Settings = current_app.extensions["settings"]
    return settings.data_dir / "cluster"


@cluster.command("up")
@click.option("--web", default=2, show_default=True, type=click.IntRange(1, 64), help="Web processes.")
@click.option("--demo", is_flag=True, help="First add demo learners with weeks of history.")
@with_appcontext
@click.pass_context
def up(context: click.Context, web: int, demo: bool) -> None:
    """Start everything, and keep it running until Ctrl-C.

    nginx listens on HOST and PORT. Of PostgreSQL (with a replica) and Valkey those that DATABASE_URL, REPLICA_URLS and
    REDIS_URL do not name are started here. What dies is started again.

    \b
    Example: flask cluster up --web 4
    """
    settings: Settings = current_app.extensions["settings"]
    folder = _folder()
    try:
        with serve.stoppable(), state.only_one(folder):
            serve.check_port(settings)
            Supervisor(settings, folder, web).run(context, demo=demo)
    except (EmbeddedPostgresError, ValkeyError, state.Refused) as fault:
        raise click.ClickException(str(fault)) from fault
    except serve.Stopped:
        click.echo("\nThe cluster has stopped. Everything is saved.")


@cluster.command("restart")
@with_appcontext
def restart(*, patience: int = RESTART_SECONDS) -> None:
    """Replace the running processes of Cody Verse one after another, so that no request is lost: after an update.

    \b
    Example: flask cluster restart
    """
    folder = _folder()
    before = state.read(folder)
    if before is None:
        raise click.ClickException("No cluster runs here: flask cluster up starts one.")
    os.kill(before.pid, signal.SIGHUP)
    deadline = time.monotonic() + patience
    while (found := state.read(folder)) is not None and time.monotonic() < deadline:
        if found.restarts > before.restarts:
            if found.fault:
                raise click.ClickException(found.fault)
            click.echo("Every process was replaced.")
            return
        time.sleep(0.1)
    raise click.ClickException("The cluster did not finish restarting; its own output tells why.")


@cluster.command("status")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@with_appcontext
def status(as_json: bool) -> None:
    """Which processes run, since when, and how often each was started.

    \b
    Example: flask cluster status
    """
    found = state.read(_folder())
    if found is None:
        raise click.ClickException("No cluster runs here: flask cluster up starts one.")
    if as_json:
        click.echo(found.as_json())
        return
    click.echo(found.address)
    for name, part in found.parts.items():
        click.echo(f"{name:<10} {part['pid'] or 'starting':>8}  started {part['starts']} times")
