"""flask doctor: everything that an operator would look at, in one call."""

import json

import click

from codyverse import doctor as examination
from codyverse.cli.faults import speaks_plainly

_SIGNS = {"good": "  good ", "look": "  LOOK ", "fault": "  FAULT"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@speaks_plainly
def doctor(as_json: bool) -> None:
    """Look at everything this site stands on; for each fault say what it means and which command mends it.

    Changes nothing. Exit status 1 if there is a fault; what is only to be looked at does not count.

    Example: flask doctor --json
    """
    found = examination.examine()
    faults = [each for each in found if each.state == "fault"]
    if as_json:
        click.echo(
            json.dumps({"healthy": not faults, "findings": [each.plain() for each in found]}, indent=2)
        )
    else:
        for each in found:
            click.echo(f"{_SIGNS[each.state]}  {each.name:<14} {each.says}")
            if each.mend:
                click.echo(f"{'':<25}→ {each.mend}")
    if faults:
        raise SystemExit(1)
