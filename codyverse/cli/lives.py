"""More of flask users: take people along, take them in, erase them, help those who are locked out."""

import os
from pathlib import Path

import click
from flask import current_app, url_for

from codyverse import mailing
from codyverse.accounts import people, queries, recovery, second_factor
from codyverse.archives import erasures, reading, writing
from codyverse.backups.container import closed_file
from codyverse.cli.faults import speaks_plainly
from codyverse.cli.users import ROLE, users
from codyverse.core.database import unit_of_work


@users.command("export")
@click.argument("email")
@click.option("--to", "target", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@speaks_plainly
def export(email: str, target: Path | None) -> None:
    """Write everything that is kept about somebody into one file: for a request by letter, or for another site.

    Example: flask users export ada@example.org --to ada.zip
    """
    found = queries.account_by_email(email)
    made = writing.make(found.id)
    path = target or Path(made.name)
    if path.exists():
        raise click.ClickException(f"{path} is there already; choose another name with --to.")
    try:
        _write_whole(path, made.data)
    except OSError as fault:
        raise click.ClickException(f"{path} cannot be written: {fault.strerror}.") from fault
    click.echo(f"Wrote {path} ({len(made.data):,} bytes): everything about {found.email}.")


def _write_whole(path: Path, data: bytes) -> None:
    """All of it under this name, or nothing: a file that was cut off must not look like one that can be sent.

    Raises OSError, also when a file of the name has come meanwhile.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with closed_file(draft) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@users.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--role", type=ROLE, default="learner", show_default=True)
@click.option("--dry-run", is_flag=True, help="Only say whether it would work.")
@speaks_plainly
def import_(file: Path, role: str, dry_run: bool) -> None:
    """Take somebody in with a file that `flask users export` or the person's settings made on another site.

    The file holds their points and badges too: only import what you trust. The same courses must be loaded here. They
    set a new password by the link that is printed.

    Example: flask users import ada.zip
    """
    try:
        with unit_of_work():
            made = reading.take_in(file.read_bytes(), role)
            if dry_run:
                raise _Undone
    except _Undone:
        click.echo(f"It would work: {made.email}, {made.rows} rows.")
        return
    except OSError as fault:
        raise click.ClickException(f"{file} cannot be read: {fault.strerror}.") from fault
    click.echo(f"Took in {made.email}, {role}, number {made.user_id}, with {made.rows} rows.")
    if made.reworded:
        click.echo(
            f"{made.reworded} wordings of questions are not here; their answers are shown with the present ones."
        )
    _tell_link(made.email)


class _Undone(Exception):
    """It was only tried."""


@users.command("erase")
@click.argument("email")
@click.option("--now", is_flag=True, help="At once, not in 30 days. It cannot be undone.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@speaks_plainly
def erase(email: str, now: bool, yes: bool) -> None:
    """Erase everything personal of somebody, in 30 days or at once; print the receipt.

    Within the 30 days they keep their account by signing in. Answers to programs that were kept for sending again go
    within a day by themselves.

    Example: flask users erase ada@example.org
    """
    found = queries.account_by_email(email)
    when = "at once, which cannot be undone" if now else "in 30 days"
    if not yes:
        click.confirm(f"Erase everything personal of {found.email}, {when}?", abort=True)
    with unit_of_work():
        if now:
            receipt = people.erase(found.id)
        else:
            leaving = people.ask_erasure(found.id)
            receipt = leaving.receipt
    click.echo("Erased." if now else f"It will be erased after {leaving.when:%Y-%m-%d}. They are signed out.")
    click.echo(f"Receipt: {receipt}")
    if now:
        _write_down()


def _write_down() -> None:
    """For restores: the database knows it already."""
    try:
        erasures.write_down()
    except OSError as fault:
        raise click.ClickException(
            f"It is erased, but {erasures.kept()}, by which a restored backup erases again, cannot be written: "
            f"{fault.strerror}. Mend that; the next backup writes the list anew."
        ) from fault
    except erasures.Damaged as fault:
        raise click.ClickException(f"It is erased. But {fault.message}") from fault


@users.command("erased")
@click.argument("receipt")
@speaks_plainly
def erased(receipt: str) -> None:
    """Say whether an erasure was done, by the number of its receipt.

    \b
    Example: flask users erased QX4T-7MZA-22KC-HB5L
    """
    at = people.erased_at(receipt)
    if at is None:
        raise click.ClickException("Nobody with this receipt was erased here, or not yet.")
    click.echo(f"Erased on {at:%Y-%m-%d %H:%M} UTC.")


@users.command("reset-link")
@click.argument("email")
@speaks_plainly
def reset_link(email: str) -> None:
    """Print a link with which somebody sets a new password: works once, for 30 minutes. Where no mail can be sent.

    Example: flask users reset-link ada@example.org
    """
    _tell_link(queries.account_by_email(email).email)


def _tell_link(email: str) -> None:
    with unit_of_work():
        key = recovery.make_link(email)
    if key is None:
        raise click.ClickException(
            f"{email} is deactivated. To open the account again: flask users activate {email}"
        )
    with current_app.test_request_context(base_url=mailing.settings().base_url):
        link = url_for("recovery.reset_form", key=key, _external=True)
    click.echo(f"A new password is set here, once, within 30 minutes: {link}")


@users.command("reset-second-factor")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
@speaks_plainly
def reset_second_factor(email: str, yes: bool) -> None:
    """Take away somebody's authenticator app, passkeys and recovery codes, when they have lost all of them.

    Make sure that it is they who ask.

    \b
    Example: flask users reset-second-factor ada@example.org
    """
    found = queries.account_by_email(email)
    if not second_factor.state(found.id).is_on:
        raise click.ClickException(f"{found.email} has no second factor.")
    if not yes:
        click.confirm(f"Let {found.email} sign in with the password alone?", abort=True)
    with unit_of_work():
        second_factor.reset(found.id)
    click.echo(f"{found.email} signs in with the password alone, until they set up a second factor again.")
