"""Stories put into the tables: ids reserved, rows copied, a batch of whole learners in a transaction."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import text

from codyverse.core.database import session
from codyverse.core.errors import NotFound
from codyverse.stories import plot
from codyverse.stories.library import read_library
from codyverse.stories.rows import COLUMNS
from codyverse.stories.telling import Part, Tale, tellers

BATCH = 200
_THERE = text("select email_key from users where email_key = any(:addresses)")
_RESERVE = text("select nextval(pg_get_serial_sequence(:table, 'id')) from generate_series(1, :count)")
_HANDLES = text("""
    create temporary table handles on commit drop as select user_id, handle, public, shown from public_profiles limit 0
""")
_PUBLISH = text(
    "insert into public_profiles (user_id, handle, public, shown) select * from handles on conflict do nothing"
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some learners, lived but not yet kept: how many, and their rows by table."""

    learners: int
    rows: dict[str, bytes]


def offered_lessons() -> int:
    """How many lessons there are to be studied."""
    return len(read_library().lessons)


def missing(learners: int) -> list[int]:
    """The numbers below `learners` whose accounts are not there yet."""
    found: list[int] = []
    for begin in range(0, learners, 10_000):
        numbers = range(begin, min(begin + 10_000, learners))
        values = {"addresses": [plot.address(number) for number in numbers]}
        there = set(session.connection().execute(_THERE, values).scalars())
        found += [number for number in numbers if plot.address(number) not in there]
    return found


@contextmanager
def batches(tale: Tale, numbers: list[int], processes: int = 1) -> Iterator[Iterator[Batch]]:
    """These learners, lived in batches. To be kept one after the other, each in a transaction (`keep`).

    Raises NotFound if there is nothing to study.
    """
    library = read_library()
    if not library.lessons:
        raise NotFound("There are no courses yet: run `flask content apply` first.")
    with tellers(tale, library, processes) as telling:
        yield (
            Batch(min(BATCH, len(numbers) - begin), rows)
            for begin, rows in zip(
                range(0, len(numbers), BATCH), telling.rows(_parts(tale, numbers)), strict=True
            )
        )


def _parts(tale: Tale, numbers: list[int]) -> Iterator[Part]:
    for begin in range(0, len(numbers), BATCH):
        some = tuple(numbers[begin : begin + BATCH])
        people = [tale.person(number) for number in some]
        lessons = sum(day.lessons for who in people for day in tale.days(who))
        yield Part(some, _reserved("users", len(some)), _reserved("attempts", lessons))


def _reserved(table: str, count: int) -> tuple[int, ...]:
    """Ids that nobody else gets; those that stay unused are left out for good."""
    return tuple(session.connection().execute(_RESERVE, {"table": table, "count": count}).scalars())


def keep(batch: Batch) -> None:
    """Copy the rows of a batch into the tables, in the caller's transaction."""
    connection = session.connection()
    connection.execute(text("set local statement_timeout = 0"))
    connection.execute(text("set local synchronous_commit = off"))
    cursor = connection.connection.cursor()
    for table, columns in COLUMNS.items():
        if not batch.rows[table]:
            continue
        into = table
        if table == "public_profiles":  # an address may be somebody's already
            connection.execute(_HANDLES)
            into = "handles"
        cursor.copy_expert(f"copy {into} ({columns}) from stdin", io.BytesIO(batch.rows[table]), size=1 << 17)
        if into != table:
            connection.execute(_PUBLISH)
            connection.execute(text("drop table handles"))


def look_again() -> None:
    """Let PostgreSQL count anew what is where; after many rows its plans would be those of an empty table."""
    connection = session.connection()
    connection.execute(text("set local statement_timeout = 0"))
    for table in COLUMNS:
        connection.execute(text(f"analyze {table}"))
