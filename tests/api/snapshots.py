"""What is in the database, as one checksum per table: two that are equal say that nothing was written."""

from sqlalchemy import text

from codyverse.core.database import db, session

NOTHING_DONE = {"idempotency_records", "alembic_version"}
"""Tables that hold what was answered, not what was done."""


def state() -> dict[str, str]:
    """Table → checksum of all its rows."""
    session.remove()
    names = text("select tablename from pg_tables where schemaname = 'public' order by 1")
    tables = [name for name in db.session.execute(names).scalars() if name not in NOTHING_DONE]
    parts = [
        f"select '{name}' as name, md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {name} t"
        for name in tables
    ]
    found = {row[0]: row[1] for row in db.session.execute(text(" union all ".join(parts)))}
    session.remove()
    return found


def changed(before: dict[str, str]) -> set[str]:
    """The tables that are not as they were."""
    return {name for name, sum_ in state().items() if before[name] != sum_}
