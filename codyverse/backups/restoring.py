"""Restoring a backup: proved first, then put into an empty database, all of it or nothing, and proved again."""

import re
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import text

from codyverse.backups import postgres
from codyverse.backups.container import Head, Unusable, closed_file
from codyverse.backups.making import Contents, count, opened
from codyverse.core.database import db


def restore(
    path: Path, url: str, key: bytes | None, *, version: str, known: Collection[str]
) -> tuple[Head, Contents]:
    """Put a backup into the empty database at `url`; what was in it. The caller migrates.

    `version` is that of this program, `known` the migrations that it has. Nothing is touched before the whole file has
    been proved; then everything is put in, or nothing. Raises Unusable.
    """
    folder = Path(tempfile.mkdtemp(prefix="codyverse-restore-"))
    try:
        dump = folder / "dump"
        with opened(path, key) as (head, contents, parts):
            _must_be_ours(path.name, head, version, known)
            _must_be_empty()
            with closed_file(dump) as file:
                file.writelines(parts)
        db.engine.dispose()
        postgres.restore(url, dump)
    except OSError as fault:
        raise Unusable(f"There is not enough room in {folder}: {fault.strerror}.") from fault
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return head, contents


def _must_be_ours(name: str, head: Head, version: str, known: Collection[str]) -> None:
    if _numbers(head.version) > _numbers(version) or head.migration not in known:
        raise Unusable(
            f"{name} was made by Cody Verse {head.version}, and this is {version}, which is older: "
            "install at least that version, then restore."
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version))


def _must_be_empty() -> None:
    with db.engine.connect() as connection:
        found = connection.execute(
            text("select count(*) from information_schema.tables where table_schema = 'public'")
        ).scalar_one()
    if found:
        raise Unusable(
            f"The database is not empty ({found} tables): a backup is restored into an empty one only. "
            "Make one with `createdb`, and set DATABASE_URL to it."
        )


def proved(contents: Contents) -> list[str]:
    """What of the contents of a backup is not in the database as it was, in plain words; to be asked before migrating."""
    with db.engine.connect() as connection:
        connection.execute(text("set local statement_timeout = 0"))
        return contents.differences(count(connection))


def newest(folder: Path) -> Path | None:
    """The newest backup in a folder; None if there is none."""
    found = [path for path in folder.glob("*.codyverse") if path.is_file()] if folder.is_dir() else []
    return max(found, key=lambda path: path.stat().st_mtime, default=None)
