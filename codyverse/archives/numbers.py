"""Ids mean something in one database only. In an archive rows are named by their place in it, lessons by their keys.

One walk over a row finds every id that it holds: in foreign keys, in texts like `lesson:12`, in details.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Table

from codyverse.core import personal
from codyverse.core.database import Base

Change = Callable[[str, int], int | None]
"""From a table and an id to what takes its place."""
CONTENT = ("courses", "lessons", "steps", "step_revisions")
IN_DETAILS = {"lesson_id": "lessons", "attempt_id": "attempts", "course_id": "courses", "step_id": "steps"}
IN_TEXTS = {
    ("ledger_entries", "source"): {"lesson": "lessons", "attempt": "attempts", "purchase": "purchases"},
    ("notifications", "source"): {"course": "courses"},
}
"""Columns of text that begin with a word and an id, and what table the id is of."""
LAST = ("ledger_entries", "notifications")
"""They name rows of other tables without a foreign key."""


def table(name: str) -> Table:
    """The table of this name."""
    return Base.metadata.tables[name]


def carried() -> tuple[str, ...]:
    """The tables that are taken along, each after those that it names."""
    names = [each.name for each in Base.metadata.sorted_tables]
    mine = [name for name in names if name in personal.TABLES and not personal.TABLES[name].stays]
    return tuple([name for name in mine if name not in LAST] + [name for name in LAST if name in mine])


def translated(name: str, row: dict[str, Any], change: Change) -> dict[str, Any]:
    """The row with every id changed, but for its own and its owner's."""
    found = dict(row)
    for column in table(name).columns:
        if column.name not in row or row[column.name] is None:
            continue
        for key in column.foreign_keys:
            if key.column.table.name != "users":
                found[column.name] = change(key.column.table.name, row[column.name])
        words = IN_TEXTS.get((name, column.name))
        if words is not None:
            found[column.name] = _text(row[column.name], words, change)
    if isinstance(row.get("details"), dict):
        found["details"] = {key: _detail(key, value, change) for key, value in row["details"].items()}
    return found


def _text(text: str, words: dict[str, str], change: Change) -> str:
    word, _, rest = text.partition(":")
    number, colon, tail = rest.partition(":")
    if word not in words or not number.isdecimal():
        return text
    return f"{word}:{change(words[word], int(number))}{colon}{tail}"


def _detail(key: str, value: Any, change: Change) -> Any:
    return change(IN_DETAILS[key], value) if key in IN_DETAILS and isinstance(value, int) else value
