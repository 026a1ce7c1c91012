"""What a request costs the database: how many statements, and how many pages of tables and indexes they touch.

Each statement is explained and analysed in its own transaction just before it is sent, and that is undone again. So
writes are measured too, on exactly the rows that they are about to change.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

_MEASURABLE = ("select", "insert", "update", "delete", "with", "values")


@dataclass(frozen=True, slots=True)
class Touched:
    """A statement and the buffers that it touched, whether they were in memory or not."""

    statement: str
    buffers: int
    plan: dict[str, Any]


@dataclass(slots=True)
class Cost:
    """What was sent to the database in a while."""

    touched: list[Touched] = field(default_factory=list)

    @property
    def statements(self) -> int:
        return len(self.touched)

    @property
    def buffers(self) -> int:
        return sum(each.buffers for each in self.touched)


@contextmanager
def measured() -> Iterator[Cost]:
    """Everything that this process sends to any database in this block."""
    cost = Cost()

    def note(
        connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        said = " ".join(statement.split())
        if said.lower().startswith(_MEASURABLE):
            given = parameters[0] if many else parameters
            cost.touched.append(_explained(connection.connection.dbapi_connection, statement, said, given))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield cost
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _explained(raw: Any, statement: str, said: str, parameters: Any) -> Touched:
    with raw.cursor() as cursor:
        if not raw.autocommit:
            cursor.execute("savepoint measured")
        cursor.execute("explain (analyze, buffers, timing off, format json) " + statement, parameters)
        told = cursor.fetchone()[0]
        if not raw.autocommit:
            cursor.execute("rollback to savepoint measured")
    [explained] = json.loads(told) if isinstance(told, str) else told
    plan = explained["Plan"]
    touched = sum(plan.get(f"{where} {what} Blocks", 0) for where in ("Shared",) for what in ("Hit", "Read"))
    return Touched(said, touched, plan)
