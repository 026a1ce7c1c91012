"""Making a backup: a dump and what was counted at the same moment, written, read back, and only then given its name."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sqlalchemy import Connection, text

from codyverse.backups import container, postgres
from codyverse.backups.container import Head, Unusable
from codyverse.core.clock import now
from codyverse.core.database import db

_TABLES = text("select table_name from information_schema.tables where table_schema = 'public' order by 1")
_LEDGER = text("select currency, sum(amount)::text from ledger_entries group by 1 order by 1")
_COURSES = text("select key, digest || ':' || version from courses order by key")


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a backup, counted at the moment of its dump: rows by table, sums of the ledger, states of the courses."""

    tables: dict[str, int] = field(default_factory=dict)
    ledger: dict[str, str] = field(default_factory=dict)
    courses: dict[str, str] = field(default_factory=dict)

    def differences(self, other: "Contents") -> list[str]:
        """What `other` holds otherwise, in plain words."""
        found = []
        for what, mine, theirs in (
            ("rows in {}", self.tables, other.tables),
            ("the ledger's {}", self.ledger, other.ledger),
            ("the course {}", self.courses, other.courses),
        ):
            for name in sorted(mine.keys() | theirs.keys()):
                if mine.get(name) != theirs.get(name):
                    told = what.format(name)
                    found.append(
                        f"{told}: {mine.get(name, 'none')} in the backup, {theirs.get(name, 'none')} now"
                    )
        return found


def count(connection: Connection) -> Contents:
    """Everything counted, as this transaction sees it."""
    names = connection.execute(_TABLES).scalars().all()
    tables = {
        name: connection.execute(text(f'select count(*) from "{name}"')).scalar_one()  # noqa: S608 - own names
        for name in names
    }
    if "ledger_entries" not in tables:
        return Contents(tables)
    ledger, courses = ({row[0]: row[1] for row in connection.execute(each)} for each in (_LEDGER, _COURSES))
    return Contents(tables, ledger, courses)


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was written and proved."""

    path: Path
    bytes: int
    head: Head
    contents: Contents


def make(path: Path, url: str, version: str, key: bytes | None) -> Made:
    """Write a backup of the database at `url`. The site may be in use meanwhile: it is one moment of it.

    `url` must reach PostgreSQL itself, not a pooler. Raises Unusable, and leaves nothing behind then; an existing
    file of that name is not touched.
    """
    if path.exists():
        raise Unusable(f"{path} exists already: choose another name, or remove it.")
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        head, contents = _write(draft, url, version, key)
        check(draft, key)
        os.link(draft, path)  # never over a file that has come meanwhile
    except OSError as fault:
        raise Unusable(f"{path} cannot be written: {fault.strerror}.") from fault
    finally:
        with suppress(OSError):
            draft.unlink()
    return Made(path, path.stat().st_size, head, contents)


def _write(draft: Path, url: str, version: str, key: bytes | None) -> tuple[Head, Contents]:
    engine = db.engine.execution_options(isolation_level="REPEATABLE READ")
    with (
        engine.connect() as connection,
        container.closed_file(draft) as file,
    ):
        connection.execute(text("set local statement_timeout = 0"))
        snapshot = connection.execute(text("select pg_export_snapshot()")).scalar_one()
        contents = count(connection)
        if "alembic_version" not in contents.tables:
            raise Unusable(
                "The tables are not there yet, so there is nothing to keep: run `flask db upgrade` first."
            )
        migration = connection.execute(text("select version_num from alembic_version")).scalar_one()
        head = Head(version, migration, now().isoformat(), container.new_salt() if key else None)
        container.write(file, head, _parts(contents, url, snapshot), key)
        file.flush()
        os.fsync(file.fileno())
    return head, contents


def _parts(contents: Contents, url: str, snapshot: str) -> Iterator[bytes]:
    yield _in_one_frame(json.dumps(asdict(contents)).encode())
    yield from postgres.dump(url, snapshot)


def _in_one_frame(told: bytes) -> bytes:
    if len(told) > container.FRAME:
        raise Unusable("There are too many courses for a backup to name them all.")
    return told


def check(path: Path, key: bytes | None) -> tuple[Head, Contents]:
    """Prove that a file is whole and that its dump can be read; what is in it. Raises Unusable."""
    with opened(path, key) as (head, contents, dump):
        postgres.readable(dump)
    return head, contents


@contextmanager
def opened(path: Path, key: bytes | None) -> Iterator[tuple[Head, Contents, Iterator[bytes]]]:
    """A backup's head, contents and dump. Raises Unusable, in the block too, where the dump is read."""
    try:
        file = path.open("rb")
    except OSError as fault:
        raise Unusable(f"{path} cannot be read: {fault.strerror}.") from fault
    with file:
        head = container.read_head(file, path.name)
        parts = container.read_parts(file, path.name, head, key)
        contents = Contents(**json.loads(next(parts)))
        yield head, contents, parts
