"""flask users: make accounts, list them, change roles, close them and open them again."""

import json
import secrets

import click
from flask.cli import AppGroup

from codyverse.accounts import queries, services
from codyverse.cli.faults import speaks_plainly
from codyverse.core.database import unit_of_work

users = AppGroup("users", help="Make accounts, list them, change their roles, close them.")
ROLE = click.Choice(["learner", "author", "operator"])


@users.command("create")
@click.argument("email")
@click.option("--role", type=ROLE, help="Without it: learner.")
@click.option("--name", help="The display name; the part before the @ if not given.")
@click.option("--password", help="If not given, a strong one is made and printed once.")
@click.option(
    "--time-zone", default="UTC", show_default=True, help="An IANA name, for example Europe/Berlin."
)
@speaks_plainly
def create(email: str, role: str | None, name: str | None, password: str | None, time_zone: str) -> None:
    """Make an account.

    Example: flask users create --role operator ada@example.org
    """
    chosen = password or secrets.token_urlsafe(18)
    with unit_of_work():
        made = services.create_account(
            email, chosen, name or email.partition("@")[0], time_zone=time_zone, role=role or "learner"
        )
    if made is None:
        change = f" To change their role: flask users set-role {email} {role}" if role else ""
        raise click.ClickException(f"Somebody has the address {email} already.{change}")
    click.echo(f"Made {email}, {role or 'learner'}, number {made}.")
    if password is None:
        click.echo(f"Password (shown this once): {chosen}")


@users.command("list")
@click.option("--role", type=ROLE, help="Only people with this role.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@speaks_plainly
def list_(role: str | None, limit: int, as_json: bool) -> None:
    """List accounts, oldest first.

    \b
    Example: flask users list --role author --limit 20
    """
    found = queries.accounts(role, limit)
    if as_json:
        rows = [
            {
                "id": each.id,
                "email": each.email,
                "displayName": each.display_name,
                "role": each.role,
                "createdAt": each.created_at.isoformat(),
                "deactivatedAt": each.deactivated_at.isoformat() if each.deactivated_at else None,
                "eraseAfter": each.erase_after.isoformat() if each.erase_after else None,
                "erased": each.is_erased,
            }
            for each in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    if not found:
        click.echo("Nobody yet. Make the first account: flask users create --role operator you@example.org")
    for each in found:
        click.echo(f"{each.id:>6}  {each.role:<8}  {each.email}  {each.display_name}{_state(each)}")


def _state(account: queries.Account) -> str:
    if account.is_erased:
        return "  (erased)"
    leaves = (
        f"  (erased after {account.erase_after:%Y-%m-%d}, unless they sign in)" if account.erase_after else ""
    )
    return ("  (deactivated)" if account.deactivated_at else "") + leaves


@users.command("set-role")
@click.argument("email")
@click.argument("role", type=ROLE)
@speaks_plainly
def set_role(email: str, role: str) -> None:
    """Give somebody another role.

    \b
    Example: flask users set-role ada@example.org author
    """
    with unit_of_work():
        services.set_role(email, role)
    click.echo(f"{email} is now {role}.")


@users.command("deactivate")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
@speaks_plainly
def deactivate(email: str, yes: bool) -> None:
    """Close an account for signing in and end its sessions. Nothing is deleted; `flask users activate` opens it again.

    Example: flask users deactivate ada@example.org
    """
    queries.account_by_email(email)
    if not yes:
        click.confirm(
            f"Close the account of {email}? They are signed out and cannot sign in again", abort=True
        )
    with unit_of_work():
        services.deactivate(email)
    click.echo(f"{email} is deactivated.")


@users.command("activate")
@click.argument("email")
@speaks_plainly
def activate(email: str) -> None:
    """Open an account that was deactivated; its owner signs in as before.

    Example: flask users activate ada@example.org
    """
    with unit_of_work():
        services.activate(email)
    click.echo(f"{email} is active again.")
