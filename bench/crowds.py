"""A site whose learners are many times there, written in the order in which life would have written it.

`flask demo seed` writes one learner after the other, so that each one's rows lie side by side. On no real site do they:
whoever learns on a day writes between everybody else who learns then. So everything that happened is taken out again
and put back by time, with numbers of attempts and entries that rise with it, for a small site and a large one alike.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection

from codyverse.stories.rows import COLUMNS

PEOPLE = ("users", "zone_facts", "players", "public_profiles")
"""Written once for each learner, in the order of their numbers."""
WRITTEN = {
    "attempts": "numbered.id",
    "attempt_steps": "numbered.id, was.position",
    "answers": "was.created_at + {later}, copies.copy, was.id",
    "lesson_progress": "was.first_completed_at + {later}, copies.copy",
    "activity_days": "was.local_date, copies.copy, was.user_id",
    "course_completions": "was.completed_at + {later}, copies.copy",
    "daily_goals": "was.local_date, copies.copy, was.user_id, was.slot",
    "streak_repairs": "was.repaired_at + {later}, copies.copy",
    "earned_badges": "was.earned_at + {later}, copies.copy",
    "ledger_entries": "was.created_at + {later}, copies.copy, was.id",
    "notifications": "was.created_at + {later}, copies.copy, was.id",
}
"""When a row of what happened is written: when its place in its table is settled, that is. `later`: for a copy."""
LATER = "copies.copy * interval '{minutes} minutes'"
"""Copies are not to do the same at the same moment: they are spread over a day."""
_ROOM = ("set local session_replication_role = replica", "set local statement_timeout = 0")
_SPEED = ("set local work_mem = '512MB'", "set local maintenance_work_mem = '512MB'")


def crowded(url: str, times: int) -> None:
    """Everybody `times` times (once: as they are), under other names, and all that happened in the order of time.

    `url` must be a superuser's, for what refers to what has been checked already. To be called once: another call would
    take the copies for lives.
    """
    engine = create_engine(url)
    with engine.begin() as connection:
        for each in (*_ROOM, *_SPEED):
            connection.execute(text(each))
        span = int(connection.execute(text("select coalesce(max(id), 0) from users")).scalar_one())
        for table in WRITTEN:
            connection.execute(text(f"create unlogged table was_{table} as select * from {table}"))
        with _said("numbers of attempts"):
            _number(connection, times)
        connection.execute(text(f"truncate {', '.join(WRITTEN)} restart identity"))
        for table in WRITTEN:
            with _said(table), _without_indexes(connection, table):
                connection.execute(text(_written(table, span, times)))
            connection.execute(text(f"drop table was_{table}"))
        connection.execute(text("select setval('attempts_id_seq', (select max(id) from numbered))"))
        connection.execute(text("drop table numbered"))
        connection.execute(text("set local session_replication_role = origin"))
        with _said("people"):
            for table in PEOPLE:
                connection.execute(text(_copied(table, span, times)))
        connection.execute(text("select setval('users_id_seq', (select max(id) from users))"))
    engine.dispose()


_INDEXES = text("""
    select cast(indexrelid as regclass) as name, pg_get_indexdef(indexrelid) as built,
           constraints.conname as key, pg_get_constraintdef(constraints.oid) as says
    from pg_index left join pg_constraint as constraints on conindid = indexrelid and contype = 'p'
    where indrelid = cast(:table as regclass)
        and not exists (select from pg_constraint where conindid = indexrelid and contype = 'f')
""")


@contextmanager
def _without_indexes(connection: Connection, table: str) -> Iterator[None]:
    """Indexes are built when all rows are there, which takes a quarter of the time. What others refer to stays."""
    found = connection.execute(_INDEXES, {"table": table}).all()
    for each in found:
        drop = f"alter table {table} drop constraint {each.key}" if each.key else f"drop index {each.name}"
        connection.exec_driver_sql(drop)
    yield
    for each in found:
        again = f"alter table {table} add constraint {each.key} {each.says}" if each.key else each.built
        connection.exec_driver_sql(again)


def _later(times: int) -> str:
    return LATER.format(minutes=24 * 60 // times)


def _number(connection: Connection, times: int) -> None:
    """Which number an attempt of a copy has: the next one when it began."""
    connection.execute(
        text(f"""
            create unlogged table numbered as
            select copies.copy, was.id as former, row_number() over (order by was.started_at + {_later(times)}, copies.copy, was.id) as id
            from was_attempts as was cross join generate_series(0, {times - 1}) as copies (copy)
        """)
    )
    connection.execute(text("create unique index on numbered (copy, former) include (id)"))
    connection.execute(text("analyze numbered"))


def _written(table: str, span: int, times: int) -> str:
    """Everybody's rows of a table of what happened, by time."""
    other = {
        "id": "numbered.id",
        "attempt_id": "numbered.id",
        "user_id": f"was.user_id + {span} * copies.copy",
        "source": "case was.rule when 'lesson_again' then 'attempt:' || numbered.id else was.source end",
    }
    if table != "ledger_entries":
        del other["source"]
    columns = COLUMNS[table].split(", ")
    selected = ", ".join(other.get(name, f"was.{name}") for name in columns)
    attempt = "id" if table == "attempts" else "attempt_id"
    numbered = f"left join numbered on numbered.copy = copies.copy and numbered.former = was.{attempt}"
    return f"""
        insert into {table} ({COLUMNS[table]}) select {selected}
        from was_{table} as was cross join generate_series(0, {times - 1}) as copies (copy)
        {numbered if attempt in columns else ""} order by {WRITTEN[table].format(later=_later(times))}
    """


def _copied(table: str, span: int, times: int) -> str:
    """The copies of the people, one copy after the other; those who are there stay."""
    other = {
        "id": f"was.id + {span} * copy",
        "user_id": f"was.user_id + {span} * copy",
        "email": "copy || '-' || was.email",
        "email_key": "copy || '-' || was.email_key",
        "handle": "was.handle || '-' || copy",
    }
    whose = "id" if table == "users" else "user_id"
    selected = ", ".join(other.get(name, f"was.{name}") for name in COLUMNS[table].split(", "))
    return f"""
        insert into {table} ({COLUMNS[table]}) select {selected}
        from {table} as was cross join generate_series(1, {times - 1}) as copy order by copy, was.{whose}
    """


@contextmanager
def _said(what: str) -> Iterator[None]:
    """How long it took, for whoever waits."""
    began = time.monotonic()
    yield
    print(f"  {what}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
