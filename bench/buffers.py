"""What a request costs the database: how many statements, and how many pages of tables and indexes they touch.

Each statement is explained and analysed in its own transaction just before it is sent, and that is undone again. So
writes are measured too, on exactly the rows that they are about to change. What it answers is put together as it would be
sent, for only then long values are read, which lie beside their tables.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from sqlalchemy import event
from sqlalchemy.engine import Engine

_MEASURABLE = ("select", "insert", "update", "delete", "with", "values")


@dataclass(frozen=True, slots=True)
class Touched:
    """A statement and the buffers that it touched, whether they were in memory or not.

    `by_index` are those that it touches where tables are too large to be read as a whole.
    """

    statement: str
    buffers: int
    by_index: int
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

    @property
    def by_index(self) -> int:
        return sum(each.by_index for each in self.touched)


@contextmanager
def measured() -> Iterator[Cost]:
    """Everything that this thread sends to any database in this block; others of this process look after its health."""
    cost, here = Cost(), threading.get_ident()

    def note(
        connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        said = " ".join(statement.split())
        if threading.get_ident() == here and said.lower().startswith(_MEASURABLE):
            given = parameters[0] if many else parameters
            cost.touched.append(_explained(connection.connection.dbapi_connection, statement, said, given))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield cost
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _explained(raw: Any, statement: str, said: str, parameters: Any) -> Touched:
    explain = "explain (analyze, buffers, serialize text, timing off, format json) " + statement
    alone = raw.autocommit and raw.get_transaction_status() == TRANSACTION_STATUS_IDLE
    begin, undo = ("begin", "rollback") if alone else ("savepoint measured", "rollback to savepoint measured")
    with raw.cursor() as cursor:
        found = []
        for seqscan in ("on", "off"):
            cursor.execute(begin)
            cursor.execute(f"set local enable_seqscan = {seqscan}")
            cursor.execute(explain, parameters)
            told = cursor.fetchone()[0]
            found.append((json.loads(told) if isinstance(told, str) else told)[0])
            cursor.execute(undo)
    as_it_is, by_index = (_touched_by(told) for told in found)
    return Touched(said, as_it_is, by_index, found[0]["Plan"])


def _touched_by(told: dict[str, Any]) -> int:
    parts = (told["Plan"], told.get("Serialization", {}))
    return sum(part.get("Shared Hit Blocks", 0) + part.get("Shared Read Blocks", 0) for part in parts)
