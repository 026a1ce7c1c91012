"""What an archive says, value by value: of the column's type, within what can be, and by the rules of each table."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, StatementError

from codyverse.accounts import moving
from codyverse.core.errors import Conflict, DomainError, Invalid
from codyverse.notifications.rules import KINDS, words

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=3)
"""So far dates may be ahead: days begin earlier elsewhere, and clocks of two sites differ."""
MAY_BE_NEGATIVE = {("ledger_entries", "amount")}
LISTS = frozenset({"page_off", "mail_kinds", "shown"})
_TAKEN = {
    "uq_users_email_key": "Somebody here has the address of this archive already.",
    "uq_public_profiles_handle": "Somebody here has the public address of this archive already.",
}
ANEW = "Take the file as the other site made it, or export it anew there."


def value(column: Column[Any], given: Any, at: datetime) -> Any:
    """A JSON value as the column's own type. Raises ValueError that names the column."""
    if given is None:
        return None
    where = f"{column.table.name}.{column.name}"
    kind = dict if isinstance(column.type, JSONB) else column.type.python_type
    try:
        found = _READ[kind](given)
    except (ValueError, TypeError, ArithmeticError) as fault:
        raise ValueError(f"{where} is {str(given)[:40]!r}") from fault
    if kind is dict and not isinstance(found, list if column.name in LISTS else dict):
        raise ValueError(f"{where} is {str(given)[:40]!r}")
    if kind is int and found < 0 and (column.table.name, column.name) not in MAY_BE_NEGATIVE:
        raise ValueError(f"{where} is {given}, less than nought")
    if kind is datetime and not EARLIEST <= found <= at + AHEAD:
        raise ValueError(f"{where} is {given}")
    if kind is date and not EARLIEST.date() <= found <= (at + AHEAD).date():
        raise ValueError(f"{where} is {given}")
    return found


def _moment(given: Any) -> datetime:
    found = datetime.fromisoformat(given)
    if found.tzinfo is None:
        raise ValueError("no zone")
    return found


def _decimal(given: Any) -> Decimal:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError("no number")
    return Decimal(str(given))


def _exactly(kind: type) -> Callable[[Any], Any]:
    def read(given: Any) -> Any:
        if type(given) is not kind:
            raise ValueError(f"no {kind}")
        return given

    return read


_READ: Mapping[type, Callable[[Any], Any]] = {
    datetime: _moment,
    date: date.fromisoformat,
    Decimal: _decimal,
    int: _exactly(int),
    str: _exactly(str),
    bool: _exactly(bool),
    dict: lambda given: given,
}


def checked(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row of this table by the rules of whoever owns it. Raises Invalid."""
    try:
        return _CHECKS[name](row) if name in _CHECKS else row
    except Invalid as fault:
        told = [
            f"{name}.{each} is {_shown(row, each)}: {' '.join(why)}" for each, why in fault.fields.items()
        ]
        raise cannot_be("; ".join(told)) from fault


def _shown(row: dict[str, Any], name: str) -> str:
    found: Any = row
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else found
    return repr(str(found)[:60])


def _with(check: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def checking(row: dict[str, Any]) -> dict[str, Any]:
        check(row)
        return row

    return checking


def _choices(row: dict[str, Any]) -> None:
    for each in ("page_off", "mail_kinds"):
        moving.some_of(each, row[each], KINDS)


def _news(row: dict[str, Any]) -> None:
    """That it can be said in words is all that is asked of its details."""
    try:
        words(row["kind"], row["details"])
    except (KeyError, ValueError, TypeError, ArithmeticError) as fault:
        raise Invalid(
            {"details": [f"They do not say what a notification of the kind {row['kind']} says."]}
        ) from fault


_CHECKS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "users": moving.checked_person,
    "zone_facts": _with(moving.check_zone),
    "public_profiles": _with(moving.check_page),
    "notification_choices": _with(_choices),
    "notifications": _with(_news),
}


def cannot_be(what: str) -> Invalid:
    """The refusal of an archive for something in it."""
    return Invalid({"": [f"The archive holds something that cannot be: {what}. {ANEW}"]})


def refusal(name: str, fault: StatementError) -> DomainError | None:
    """What the database says against rows of this table, in words; None if it is about something else, such as its
    being away.
    """
    ours = IntegrityError | DataError | ProgrammingError
    if isinstance(fault, DBAPIError) and not isinstance(fault, ours):
        return None
    said = getattr(fault.orig, "diag", None)
    taken = _TAKEN.get(getattr(said, "constraint_name", None) or "")
    if taken:
        return Conflict(taken)
    column = getattr(said, "column_name", None)
    return cannot_be(
        f"a row of {name} whose {column} is missing"
        if column
        else f"a row of {name} that contradicts its rules or other rows"
    )
