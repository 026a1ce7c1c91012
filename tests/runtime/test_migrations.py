"""The chain of migrations on a full database: everything stays, the tables end as the models say, nobody waits long."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text

from codyverse import create_app
from codyverse.core.database import db
from codyverse.gamification import services as game
from config import ROOT
from tests.conftest import drop_database, make_database, named, settings_for

FIRST = "0001"
BEFORE_THE_FIRST_RELEASE = "0040"
"""Up to here nobody's site was running: these migrations may lock."""
_REFERENCES = """
    select conrelid::regclass as place, quote_ident(conname) as name, pg_get_constraintdef(oid) as rule
    from pg_constraint where contype = 'f'
"""
_TYPES = """
    select attname, format_type(atttypid, atttypmod) from pg_attribute
    where attrelid = cast(:t as regclass) and attnum > 0 and not attisdropped
"""
_RULES = """
    select pg_get_expr(conbin, conrelid) from pg_constraint where contype = 'c' and conrelid = cast(:t as regclass)
"""
APART = frozenset({"alembic_version"})


@pytest.fixture(scope="module")
def chain() -> list[str]:
    """The revisions from the first to the last."""
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    assert len(scripts.get_heads()) == 1, "two migrations follow the same one: chain them"
    return [each.revision for each in reversed(list(scripts.walk_revisions()))]


def short(revision: str) -> str:
    return revision.split("_", maxsplit=1)[0][:4]


@dataclass(frozen=True)
class Risen:
    """A database that was full at the first revision and was brought to the last one; what each revision sent."""

    app: Flask
    before: dict[str, int]
    sent: dict[str, list[str]]


@pytest.fixture(scope="module")
def risen(cluster: str, chain: list[str]) -> Iterator[Risen]:
    """Demo learners with their history, put into the tables as they were at first, and brought up to date."""
    names = ("cv_today", "cv_then")
    today = create_app(settings_for(make_database(cluster, "cv_today")))
    for words in (["content", "apply"], ["demo", "seed"]):
        done = today.test_cli_runner().invoke(args=words)
        assert done.exit_code == 0, done.output
    then = create_app(settings_for(make_database(cluster, "cv_then", like=None)))
    with then.app_context():
        upgrade(revision=chain[0])
        db.engine.dispose()
    before = _carry(named(cluster, "cv_today"), named(cluster, "cv_then"))
    with then.app_context():
        sent = _climb(chain)
        yield Risen(then, before, sent)
        db.session.remove()
        db.engine.dispose()
    with today.app_context():
        db.engine.dispose()
    for name in names:
        drop_database(cluster, name)


def _carry(source: str, target: str) -> dict[str, int]:
    """Copy every row of every table that both have, with the columns that both have; how many rows of each."""
    taken, given = create_engine(source), create_engine(target)
    counts: dict[str, int] = {}
    with taken.connect() as here, given.begin() as there:
        references = there.execute(text(_REFERENCES)).all()
        for each in references:
            there.execute(text(f"alter table {each.place} drop constraint {each.name}"))
        for table in inspect(there).get_table_names():
            if table not in APART:
                counts[table] = _copy_rows(here, there, table)
        for each in references:
            there.execute(text(f"alter table {each.place} add constraint {each.name} {each.rule}"))
    taken.dispose()
    given.dispose()
    return counts


def _copy_rows(here: Connection, there: Connection, table: str) -> int:
    """Values travel as text, which every type can read. A row that the rules of then refuse could not be there then."""
    wanted = [each["name"] for each in inspect(there).get_columns(table)]
    known = {each["name"] for each in inspect(here).get_columns(table)}
    assert known, f"{table} is gone since: say in this test where its rows went"
    shared = [name for name in wanted if name in known]
    texts = ", ".join(f'cast("{name}" as text) as "{name}"' for name in shared)
    rows = [dict(row) for row in here.execute(text(f'select {texts} from "{table}"')).mappings()]
    if not rows:
        return 0
    columns = ", ".join(f'"{name}"' for name in shared)
    types = dict(there.execute(text(_TYPES), {"t": table}).all())
    values = ", ".join(f"cast(:{name} as {types[name]})" for name in shared)
    there.execute(text(f'create temp table draft (like "{table}")'))
    for name in wanted:
        there.execute(text(f'alter table draft alter column "{name}" drop not null'))
    there.execute(text(f"insert into draft ({columns}) values ({values})"), rows)
    rules = there.scalars(text(_RULES), {"t": table}).all()
    where = " and ".join(f"coalesce({rule}, true)" for rule in rules) or "true"
    copied = text(
        f'insert into "{table}" ({columns}) overriding system value select {columns} from draft where {where}'
    )
    count = there.execute(copied).rowcount
    there.execute(text("drop table draft"))
    return count


def _climb(chain: list[str]) -> dict[str, list[str]]:
    """Upgrade one revision at a time; the statements that change tables, by revision."""
    sent: dict[str, list[str]] = defaultdict(list)
    for revision in chain[1:]:

        def note(_conn, _cursor, sql: str, *_rest: object, at: str = revision) -> None:
            if re.match(r"\s*(create|alter|drop)\b", sql, re.IGNORECASE):
                sent[at].append(" ".join(sql.split()))

        event.listen(Engine, "before_cursor_execute", note)
        try:
            upgrade(revision=revision)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
    return dict(sent)


def test_every_row_stays(risen: Risen) -> None:
    assert risen.before["users"] > 5
    assert risen.before["ledger_entries"] > 100
    with risen.app.app_context(), db.engine.connect() as connection:
        after = {
            table: connection.execute(text(f'select count(*) from "{table}"')).scalar_one()
            for table in risen.before
        }
    assert after == risen.before


def test_the_tables_end_as_the_models_say(risen: Risen) -> None:
    with risen.app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []


def test_the_ledger_still_adds_up(risen: Risen) -> None:
    with risen.app.app_context():
        game.rebuild_ledger()
        # goals and badges of kinds that came later were not there then: their entries alone are without a reason
        unexplained = {each.what.split(":")[0] for each in game.verify_ledger()}
        assert unexplained <= {"goal", "badge"}
        db.session.remove()


FAULTS = {
    "builds an index while nobody may write (postgresql_concurrently, in autocommit_block())": (
        r"create (unique )?index (?!concurrently)(?:if not exists )?\S+ on (?:only )?(?P<table>\S+)"
    ),
    "checks every row under a lock (add it NOT VALID, then validate it)": (
        r"alter table (?P<table>\S+) add constraint \S+ (check|foreign key)(?!.*not valid)"
    ),
    "builds an index under a lock (build it concurrently, then ADD CONSTRAINT … USING INDEX)": (
        r"alter table (?P<table>\S+) add constraint \S+ (unique|primary key)(?! using index)"
    ),
    "looks at every row under a lock (a check constraint NOT VALID first)": (
        r"alter table (?P<table>\S+) alter column \S+ set not null"
    ),
    "writes the table anew (a new column, filled in batches)": (
        r"alter table (?P<table>\S+) alter column \S+ type"
    ),
    "fails on rows that are there (give it a default)": (
        r"alter table (?P<table>\S+) add column (?=.*not null)(?!.*(default|generated))"
    ),
    "takes away what the version before still reads (two steps: SECOND_STEP = True in the later migration)": (
        r"alter table (?P<table>\S+) (drop column|rename)|drop table (?P<table2>\S+)"
    ),
}


def locks(statements: list[str], *, second_step: bool = False) -> list[str]:
    """What is wrong with these statements of one migration, for a site that is in use meanwhile."""
    new = {
        match[1]
        for sql in statements
        if (match := re.match(r"create table (?:if not exists )?(\S+)", sql, re.IGNORECASE))
    }
    found = []
    for sql in statements:
        for why, pattern in FAULTS.items():
            match = re.match(pattern, sql, re.IGNORECASE)
            if match is None or (second_step and "two steps" in why):
                continue
            table = match["table"] or match["table2"] if "table2" in match.re.groupindex else match["table"]
            if table.strip('"') not in new:
                found.append(f"{sql[:120]}: {why}")
    return found


def test_no_migration_locks_a_site_in_use(risen: Risen, chain: list[str]) -> None:
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    found = {
        revision: faults
        for revision in chain
        if short(revision) > BEFORE_THE_FIRST_RELEASE
        and (
            faults := locks(
                risen.sent.get(revision, []),
                second_step=getattr(scripts.get_revision(revision).module, "SECOND_STEP", False),
            )
        )
    }
    assert found == {}


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX ix_a ON users (email)",
        "CREATE UNIQUE INDEX ix_a ON users (email)",
        "ALTER TABLE users ADD CONSTRAINT c CHECK (a > 0)",
        "ALTER TABLE users ADD CONSTRAINT c FOREIGN KEY(a) REFERENCES b (id)",
        "ALTER TABLE users ADD CONSTRAINT c UNIQUE (a)",
        "ALTER TABLE users ALTER COLUMN a SET NOT NULL",
        "ALTER TABLE users ALTER COLUMN a TYPE BIGINT",
        "ALTER TABLE users ADD COLUMN a INTEGER NOT NULL",
        "ALTER TABLE users DROP COLUMN a",
        "DROP TABLE users",
    ],
)
def test_the_rules_find_what_locks(sql: str) -> None:
    assert len(locks([sql])) == 1


def test_what_is_new_may_be_built_at_once() -> None:
    assert locks(["CREATE TABLE a (id INTEGER)", "CREATE INDEX ix_a ON a (id)"]) == []
    assert locks(["CREATE INDEX CONCURRENTLY ix_a ON users (email)"]) == []
    assert locks(["ALTER TABLE users ADD COLUMN a INTEGER DEFAULT 0 NOT NULL"]) == []
    assert locks(["ALTER TABLE users ADD CONSTRAINT c CHECK (a > 0) NOT VALID"]) == []
    assert locks(["ALTER TABLE users DROP COLUMN a"], second_step=True) == []
