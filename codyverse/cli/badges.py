"""flask badges: grant what learners have earned already, after a badge was added or made easier."""

import json
from dataclasses import asdict

import click
from flask.cli import AppGroup

from codyverse.cli.faults import speaks_plainly
from codyverse.core.database import unit_of_work
from codyverse.gamification import services

badges = AppGroup("badges", help="Grant badges after the fact.")


@badges.command("sync")
@click.option("--dry-run", is_flag=True, help="Only say what would be granted.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@speaks_plainly
def sync(dry_run: bool, as_json: bool) -> None:
    """Look at every learner's facts anew and grant the badges that they have earned but do not have yet.

    For badges that are new in the catalogue, or easier than they were. Each is paid once, whatever happens; a second run
    grants nothing. Each learner is a transaction of their own, so it is safe while the site is in use and may be
    stopped at any moment.

    \b
    Example: flask badges sync --dry-run
    """
    looked_at = 0
    granted: list[services.Granted] = []
    for user_id in services.learners():
        looked_at += 1
        granted += services.would_grant(user_id) if dry_run else _grant(user_id)
    if as_json:
        told = {"dryRun": dry_run, "learners": looked_at, "granted": [asdict(each) for each in granted]}
        click.echo(json.dumps(told, indent=2))
        return
    for each in granted:
        click.echo(f"learner {each.user_id}: {each.name}")
    would = "would be granted" if dry_run else "granted"
    click.echo(f"{_counted(looked_at, 'learner')} looked at, {_counted(len(granted), 'badge')} {would}.")


def _grant(user_id: int) -> tuple[services.Granted, ...]:
    with unit_of_work():
        return services.sync_badges(user_id)


def _counted(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"
