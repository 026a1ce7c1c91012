"""flask ledger: prove that players' sums are what the ledger says, and mend them if not."""

import json
from dataclasses import asdict

import click
from flask.cli import AppGroup

from codyverse.cli.faults import speaks_plainly
from codyverse.core.database import unit_of_work
from codyverse.gamification import services

ledger = AppGroup("ledger", help="Prove and mend what players have earned.")
JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@ledger.command("verify")
@JSON
@speaks_plainly
def verify(as_json: bool) -> None:
    """List everything that does not agree; exit with 1 if there is anything. Changes nothing.

    Compared are each player's sums with their entries, level with XP, streak and freezes with study days, purchases and
    repairs, and finished lessons, reached goals and purchases with their entries. Safe while the site is in use.

    \b
    Example: flask ledger verify
    """
    found = services.verify_ledger()
    if as_json:
        click.echo(
            json.dumps({"clean": not found, "differences": [asdict(each) for each in found]}, indent=2)
        )
    else:
        for each in found:
            click.echo(f"learner {each.user_id}: {each.what}: stored {each.stored}, should be {each.derived}")
        click.echo(f"{_counted(len(found), 'difference')}." if found else "The ledger agrees.")
    if found:
        raise SystemExit(1)


@ledger.command("rebuild")
@JSON
@speaks_plainly
def rebuild(as_json: bool) -> None:
    """Derive every player's sums, level, streak and freezes anew from the ledger and the facts; say what changed.

    The ledger itself is never touched. Works in batches, each locked for a moment, so it is safe while the site is in
    use. A second run changes nothing.

    \b
    Example: flask ledger rebuild
    """
    changes: list[services.Change] = []
    players = 0
    after: int | None = 0
    while after is not None:
        with unit_of_work():
            batch = services.rebuild_batch(after)
        changes += batch.changes
        players += batch.players
        after = batch.last_user_id
    if as_json:
        click.echo(json.dumps({"players": players, "changes": [asdict(each) for each in changes]}, indent=2))
        return
    for each in changes:
        click.echo(f"learner {each.user_id}: {each.field}: {each.before} → {each.after}")
    changed = len({each.user_id for each in changes})
    click.echo(f"{_counted(players, 'player')} looked at, {changed} changed.")


def _counted(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"
