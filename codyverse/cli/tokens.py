"""flask tokens: give programs access for somebody, list what they have, take it back."""

import json
from datetime import timedelta

import click
from flask.cli import AppGroup

from codyverse.accounts import queries
from codyverse.accounts import tokens as access
from codyverse.accounts.tokens import TokenInfo
from codyverse.cli.faults import speaks_plainly
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work

tokens = AppGroup("tokens", help="Give programs access for somebody, list it, take it back.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")
SCOPES = "\b\nScopes:\n" + "\n".join(f"  {name:<16} {words}" for name, words in access.SCOPES.items())


@tokens.command("issue", epilog=SCOPES)
@click.argument("email")
@click.option("--name", required=True, help="What the token is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="What it may do; repeat it for more. Reading only if not given.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="For how long; until it is revoked if not given.")
@AS_JSON
@speaks_plainly
def issue(email: str, name: str, scopes: tuple[str, ...], days: int | None, as_json: bool) -> None:
    """Make a token that acts as this person. Its text is printed this once.

    progress:report and admin can be given here only, and only where the person's role covers them.

    Example: flask tokens issue ada@example.org --name "School system" --scope progress:read --scope progress:report
    """
    person = queries.account_by_email(email)
    if person.deactivated_at is not None:
        raise click.ClickException(f"{person.email} is deactivated.")
    ends = None if days is None else now() + timedelta(days=days)
    with unit_of_work():
        secret, made = access.issue_token(person.id, name, scopes or None, ends, by_operator=True)
    if as_json:
        click.echo(json.dumps(_told(made) | {"token": secret}, indent=2))
        return
    click.echo(f"Made token {made.id} for {person.email}: {', '.join(made.scopes)}; {_until(made)}.")
    click.echo(f"Token (shown this once): {secret}")


@tokens.command("list")
@click.argument("email")
@AS_JSON
@speaks_plainly
def list_(email: str, as_json: bool) -> None:
    """List the tokens of somebody that work, newest first.

    Example: flask tokens list ada@example.org
    """
    found = access.tokens_of(queries.account_by_email(email).id)
    if as_json:
        click.echo(json.dumps([_told(each) for each in found], indent=2))
        return
    if not found:
        click.echo(f"{email} has no token that works.")
    for each in found:
        used = f"used {each.last_used_at:%Y-%m-%d}" if each.last_used_at else "not used yet"
        told = f"…{each.hint}  {_until(each)}, {used}  {each.name}  ({', '.join(each.scopes)})"
        click.echo(f"{each.id:>6}  {told}")


@tokens.command("revoke")
@click.argument("email")
@click.argument("token_id", metavar="[ID]", type=click.IntRange(1, 2**63 - 1), required=False)
@click.option("--all", "every", is_flag=True, help="All tokens of this person.")
@speaks_plainly
def revoke(email: str, token_id: int | None, every: bool) -> None:
    """End one token of somebody, or with --all every one. Programs that use it are refused at once.

    Example: flask tokens revoke ada@example.org 17
    """
    if every == (token_id is not None):
        raise click.UsageError("Name either the token's number (flask tokens list shows it) or --all.")
    person = queries.account_by_email(email)
    with unit_of_work():
        if token_id is not None:
            access.revoke_token(person.id, token_id)
        ended = 1 if token_id is not None else access.revoke_all(person.id)
    what = f"Token {token_id}" if token_id is not None else f"{ended} token{'' if ended == 1 else 's'}"
    click.echo(f"{what} of {person.email} revoked.")


def _until(token: TokenInfo) -> str:
    return f"until {token.expires_at:%Y-%m-%d %H:%M} UTC" if token.expires_at else "until it is revoked"


def _told(token: TokenInfo) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "hint": token.hint,
        "scopes": list(token.scopes),
        "createdAt": token.created_at.isoformat(),
        "expiresAt": token.expires_at.isoformat() if token.expires_at else None,
        "lastUsedAt": token.last_used_at.isoformat() if token.last_used_at else None,
    }
