"""Which tables hold something about a person: what of it they get when they ask, and what is left when they go.

Each domain registers its own tables beside its models; a test holds the list complete against the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import ColumnElement, Table, delete, select, update

from codyverse.core.database import Base, session


@dataclass(frozen=True, slots=True)
class Personal:
    """A table with rows of a person: theirs by `owner`, or those whose row in table `through` it names.

    `leave_out` are columns that say nothing about the person, such as hashes. When the person goes, the rows are
    deleted, or kept with what is in `blank` written over them: counts and statistics stay right. Tables that `stay` are
    bound to this site (sessions, secrets, leagues) and are not taken along to another. Tables that are not `told` hold
    nothing but what the others say of the person, and are in no export.
    """

    table: str
    owner: str = "user_id"
    through: str | None = None
    leave_out: tuple[str, ...] = ()
    gone: Literal["deleted", "kept"] = "kept"
    blank: Mapping[str, Any] = field(default_factory=dict)
    stays: bool = False
    told: bool = True


TABLES: dict[str, Personal] = {}


def register(*tables: Personal) -> None:
    """Name tables with rows of persons. Again is harmless."""
    TABLES.update({each.table: each for each in tables})


def export(user_id: int) -> dict[str, list[dict[str, Any]]]:
    """Everything about the person, by table, as JSON values. One statement a table."""
    return {name: _rows(personal, user_id) for name, personal in TABLES.items() if personal.told}


def _rows(personal: Personal, user_id: int) -> list[dict[str, Any]]:
    table = _table(personal.table)
    columns = [column for column in table.columns if column.name not in personal.leave_out]
    query = select(*columns).where(_mine(personal, user_id)).order_by(*table.primary_key.columns)
    return [{name: _plain(value) for name, value in row.items()} for row in session.execute(query).mappings()]


def erase(user_id: int) -> None:
    """Take out of every table what is the person's. Again is harmless."""
    for personal in reversed(TABLES.values()):
        table = _table(personal.table)
        if personal.gone == "deleted":
            session.execute(delete(table).where(_mine(personal, user_id)))
        elif personal.blank:
            session.execute(update(table).where(_mine(personal, user_id)).values(dict(personal.blank)))


def _table(name: str) -> Table:
    return Base.metadata.tables[name]


def _mine(personal: Personal, user_id: int) -> ColumnElement[bool]:
    column = _table(personal.table).c[personal.owner]
    if personal.through is None:
        return column == user_id
    other = _table(personal.through)
    return column.in_(select(other.c.id).where(other.c.user_id == user_id))


def _plain(value: Any) -> Any:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case bytes() | memoryview():
            return bytes(value).hex()
    return value
