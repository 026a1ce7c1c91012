"""flask demo: learners with weeks of believable history, as many as wanted."""

import os
import sys

import click
from flask import current_app
from flask.cli import AppGroup

from codyverse.accounts import passwords
from codyverse.cli.faults import speaks_plainly
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.stories import loading
from codyverse.stories.telling import Tale

demo = AppGroup("demo", help="Demo learners, so that every page has something to show.")
PASSWORD = "demo-under-the-night-sky"  # noqa: S105 - printed for everybody; demo learners exist in development only
WEEKS = 6
ALONE = 400
"""Up to so many learners a second process would take longer to start than it saves."""


@demo.command("seed")
@click.option("--learners", type=click.IntRange(1, 1_000_000), default=12, show_default=True)
@click.option("--weeks", type=click.IntRange(1, 26), default=WEEKS, show_default=True)
@click.option("--seed", default="1", show_default=True, help="Another word, other histories.")
@click.option(
    "--answers-every",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Of so many learners one has answers; the others' lessons are reported ones. For large sites.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be added, and add nothing.")
@click.option("--yes", is_flag=True, help="Also where strangers come: staging and production.")
@speaks_plainly
def seed(*, learners: int, weeks: int, seed: str, answers_every: int, dry_run: bool, yes: bool) -> None:
    """Add demo learners with weeks of history. Those that are there already are left as they are.

    The same seed makes the same people on the same day. Each has a history that the rules of the game give: their
    ledger, streaks, goals and badges can be proved. All share one password, which everybody knows.

    Example: flask demo seed --learners 10000 --weeks 8
    """
    if current_app.config["CODYVERSE_ENV"] in {"staging", "production"} and not (yes or dry_run):
        raise click.ClickException(
            "Demo learners share a password that everybody knows; they are for development only. "
            "If this site is a trial that nobody else reaches, add --yes."
        )
    if not loading.offered_lessons():
        raise click.ClickException("There are no courses yet: run `flask content apply` first.")
    numbers = loading.missing(learners)
    if dry_run:
        click.echo(
            f"Would add {_counted(len(numbers))} with up to {weeks} weeks of history. Nothing was changed."
        )
        return
    if numbers:
        _add(Tale(seed, weeks, now(), passwords.hashed(PASSWORD), answers_every), numbers)
        click.echo(f"Added {_counted(len(numbers))} with up to {weeks} weeks of history.")
    else:
        click.echo("The demo learners are there already; nothing was changed.")
    click.echo(f"Sign in as demo1@example.org with the password {PASSWORD}")


def _add(tale: Tale, numbers: list[int]) -> None:
    processes = 1 if len(numbers) <= ALONE else min(4, os.cpu_count() or 1)
    with (
        loading.batches(tale, numbers, processes) as batches,
        click.progressbar(length=len(numbers), label="Demo learners", file=sys.stderr) as bar,
    ):
        for batch in batches:
            with unit_of_work():
                loading.keep(batch)
            bar.update(batch.learners)
    with unit_of_work():
        loading.look_again()


def _counted(number: int) -> str:
    return "1 demo learner" if number == 1 else f"{number:,} demo learners"
