"""flask cache: what is kept instead of being asked for again, and throwing it away."""

import json
from collections import Counter
from dataclasses import asdict

import click
from flask import current_app
from flask.cli import AppGroup

from codyverse.cli.faults import speaks_plainly
from codyverse.core import cache as kept
from codyverse.core import metrics
from codyverse.core.database import unit_of_work
from codyverse.core.embedded.valkey import EmbeddedValkey
from codyverse.courses import versions

cache = AppGroup("cache", help="What is kept for a while: figures, and throwing it away.")


def _looks_of_the_site() -> Counter[tuple[str, bool]] | None:
    """What the processes that serve this site have counted in the data folder; None if none ever did."""
    settings = current_app.extensions["settings"]
    places = (settings.data_dir / "metrics", settings.data_dir / "cluster" / "metrics")
    there = [each for each in places if settings.environment != "testing" and any(each.glob("*.db"))]
    looks = [metrics.cache_looks(each) for each in there]
    return sum((each for each in looks if each), Counter()) if there else None


def _levels() -> kept.Levels:
    """The cache of this site. Where REDIS_URL names no Valkey, that is the one that a running `flask serve` or `flask cluster
    up` has started for itself."""
    levels, settings = kept.levels(), current_app.extensions["settings"]
    if levels.far is None:
        for folder in (settings.data_dir / "cluster" / "s", settings.data_dir / "valkey"):
            if folder.parent.is_dir() and (valkey := EmbeddedValkey(folder)).stands() and valkey.answers():
                levels.far = kept.far_at(valkey.url, settings.redis_timeout_ms / 1000)
                break
    return levels


@cache.command("stats")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@speaks_plainly
def stats(as_json: bool) -> None:
    """Tell hits, misses and entries of each lifetime.

    Entries are those in Valkey. Hits and misses are those of all processes of `flask serve`, `flask cluster up` and the
    Procfile, which add up in the data folder; /cache-stats tells the same of a running site.

    \b
    Example: flask cache stats --json
    """
    levels = _levels()
    state, found = levels.state(), kept.stats(entries=levels.shared_sizes(), looks=_looks_of_the_site())
    if as_json:
        told = [asdict(each) | {"rate": each.rate} for each in found]
        click.echo(
            json.dumps({"state": state, "shared": levels.far is not None, "lifetimes": told}, indent=2)
        )
        return
    where = (
        "Valkey behind the memory of each process" if levels.far else "in the memory of each process alone"
    )
    click.echo(f"The cache is {state}: {where}.")
    click.echo("lifetime   seconds      hits    misses   rate  entries")
    for each in found:
        rate = "-" if each.rate is None else f"{each.rate:.0%}"
        click.echo(
            f"{each.lifetime:<10} {each.seconds:>7} {each.hits:>9} {each.misses:>9} {rate:>6} {each.entries:>8}"
        )


@cache.command("clear")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@speaks_plainly
def clear(as_json: bool) -> None:
    """Throw away what is kept. Again is harmless, and nothing is lost: it is read anew when somebody asks.

    Valkey is emptied of it at once: the one that REDIS_URL names, or that a running `flask serve` or `flask cluster up` has
    started for itself. The memory of running processes is not reached, but a new version of the content
    makes sure that nothing in it is asked for again.

    \b
    Example: flask cache clear
    """
    levels = _levels()
    entries = sum(levels.shared_sizes().values())
    if not levels.clear():
        raise click.ClickException("Valkey does not answer; what it holds could not be thrown away.")
    with unit_of_work():
        versions.renew()
    if as_json:
        click.echo(json.dumps({"cleared": entries}))
        return
    click.echo(
        f"Thrown away: {entries} in Valkey, and all that the web processes hold of courses and learners."
    )
