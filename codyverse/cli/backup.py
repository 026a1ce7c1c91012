"""flask backup and flask restore: everything in one file, and back."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from alembic.script import ScriptDirectory
from flask import current_app
from flask_migrate import upgrade
from sqlalchemy.exc import SQLAlchemyError

from codyverse.archives import erasures
from codyverse.backups import container, making, postgres, restoring
from codyverse.backups.container import Head, Unusable
from codyverse.backups.making import Contents
from codyverse.cli.faults import speaks_plainly
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.gamification import services as gamification
from codyverse.notifications.rules import counted

KEY = click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="A file with a key of at least 16 characters; without it the setting BACKUP_KEY_FILE counts.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.command("backup")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@KEY
@click.option("--check", is_flag=True, help="Make none: prove that FILE, made earlier, is whole.")
@JSON
@speaks_plainly
def backup(*, file: Path | None, key_file: Path | None, check: bool, as_json: bool) -> None:
    """Write everything that the database holds into one FILE, and read it back to prove it.

    Without FILE it goes into the folder of the setting BACKUP_DIR, with the moment in its name. The site may be in use:
    the backup is one moment of it. With a key it is encrypted; whoever loses the key has lost the backup. Beside it
    erasures.txt tells later restores who was erased, without names.

    Example: flask backup --key-file /etc/codyverse/backup.key
    """
    key = _key(key_file)
    if check:
        if file is None:
            raise click.UsageError("Name the FILE that is to be proved.")
        head, contents = making.check(file, key)
        click.echo(_report(file, head, contents, []) if as_json else f"{file} is whole and can be read.")
        return
    path = file or _folder() / f"{now():%Y-%m-%d-%H%M%S}.codyverse"
    made = making.make(path, _direct_url(), current_app.config["CODYVERSE_VERSION"], key)
    _list_beside(made.path)
    how = "encrypted" if key else "not encrypted"
    said = f"Wrote {made.path}, {_size(made.bytes)}, {how}, read back and proved."
    click.echo(_report(made.path, made.head, made.contents, []) if as_json else said)


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@KEY
@click.option("--verify", is_flag=True, help="Prove counts, courses and ledger afterwards.")
@JSON
@speaks_plainly
def restore(*, file: Path, key_file: Path | None, verify: bool, as_json: bool) -> None:
    """Put a backup into the empty database that DATABASE_URL names, and bring it to this version.

    The whole file is proved before anything is touched; then all of it is put in, or nothing. A database with tables in
    it is refused. Whoever stands in erasures.txt, beside FILE or in CODYVERSE_DATA, is erased again.
    Exit status 1 if it was not restored, or if --verify finds something that does not agree.

    Example: DATABASE_URL=postgresql:///fresh flask restore --verify 2026-11-28-030000.codyverse
    """
    scripts = ScriptDirectory(str(Path(current_app.root_path).parent / "migrations"))
    known = {script.revision for script in scripts.walk_revisions()}
    version = current_app.config["CODYVERSE_VERSION"]
    _lists_can_be_used(file)
    with _quietly():
        head, contents = restoring.restore(file, _direct_url(), _key(key_file), version=version, known=known)
        found = restoring.proved(contents) if verify else []
        _migrate(file)
        _erase_again(file)
        if verify:
            found += [f"ledger: learner {each.user_id}: {each.what}" for each in gamification.verify_ledger()]
            session.rollback()
    said = f"Restored {file}, made {head.made} by version {head.version}."
    if verify and not found:
        said += " Proved: counts, courses and ledger agree."
    click.echo(_report(file, head, contents, found) if as_json else "\n".join([said, *found]))
    if found:
        raise SystemExit(1)


@contextmanager
def _quietly() -> Iterator[None]:
    """Nothing among the answer of what is in order: the steps of a migration, and statements that take their time."""
    loud = {
        logging.getLogger("alembic"): logging.WARNING,
        logging.getLogger("codyverse.statements"): logging.ERROR,
    }
    before = {logger: logger.level for logger in loud}
    for logger, level in loud.items():
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)


def _list_beside(backup: Path) -> None:
    try:
        erasures.write_down(erasures.beside(backup))
    except OSError as fault:
        raise click.ClickException(
            f"Wrote {backup}, but not the list of those who were erased, {erasures.beside(backup)}: {fault.strerror}."
        ) from fault
    except erasures.Damaged as fault:
        raise click.ClickException(f"Wrote {backup}, but not the list beside it: {fault.message}") from fault


def _lists_can_be_used(backup: Path) -> None:
    """Before anything is touched: whoever was erased must be known, or they would come back."""
    try:
        erasures.check(erasures.beside(backup))
    except OSError as fault:
        raise click.ClickException(
            f"The list of those who were erased, {fault.filename}, cannot be read: {fault.strerror}. Nothing was restored."
        ) from fault
    except erasures.Damaged as fault:
        raise click.ClickException(f"{fault.message} Nothing was restored.") from fault


def _erase_again(backup: Path) -> None:
    """Erase whoever the backup has brought back; say how many, and when there may be more."""
    kept, beside = erasures.kept(), erasures.beside(backup)
    lost = not kept.exists()
    try:
        back = erasures.replay(beside)
    except OSError as fault:
        raise click.ClickException(
            f"{backup} was restored, but the lists of those who were erased cannot be used ({fault.filename}: "
            f"{fault.strerror}). Do not open the site: empty the database, mend this, and restore again."
        ) from fault
    click.echo(f"Erased again: {counted(back, 'account')}, gone after the backup was made.", err=True)
    if lost:
        used = f"only those in {beside}" if beside.exists() else "nobody who was erased after the backup"
        click.echo(
            f"Warning: the list of those who were erased, {kept}, was not there: {used} could be erased again. If you "
            "have the list, put it there, empty the database, and restore again.",
            err=True,
        )


def _migrate(file: Path) -> None:
    try:
        upgrade()
    except SQLAlchemyError as fault:
        raise click.ClickException(
            f"{file} was restored, but bringing it to this version failed ({str(fault).splitlines()[0]}). "
            "The backup is unharmed: empty the database, install the version that made it, and restore again."
        ) from fault


def _key(given: Path | None) -> bytes | None:
    path = given or current_app.extensions["settings"].backup_key_file
    return None if path is None else container.read_key(Path(path))


def _folder() -> Path:
    return Path(current_app.extensions["settings"].backup_dir)


def _direct_url() -> str:
    return postgres.direct_url(current_app.extensions["settings"])


def _report(file: Path, head: Head, contents: Contents, found: list[str]) -> str:
    told: dict[str, Any] = {"file": str(file), "version": head.version, "migration": head.migration}
    told |= {"made": head.made, "encrypted": head.salt is not None, "rows": contents.tables}
    return json.dumps(told | {"differences": found}, indent=2)


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB"


__all__ = ["Unusable", "backup", "restore"]
