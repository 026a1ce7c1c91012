"""Rows as PostgreSQL's COPY reads them: values divided by tabs, one line a row."""

import json
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import Any

COLUMNS = {
    "users": "id, email, email_key, display_name, password_hash, time_zone, preferences, last_game_date, owed_until, "
    "studied_until, created_at, email_verified_at",
    "zone_facts": "user_id, since, time_zone, day_start_hour",
    "players": "user_id, xp, coins, gems, level, streak, best_streak, streak_date, days_learned, freezes, freeze_days, "
    "kept_date",
    "public_profiles": "user_id, handle, public, shown",
    "attempts": "id, user_id, lesson_id, seed, started_at, last_event_at, seconds, completed_at, local_date, score, "
    "reported",
    "attempt_steps": "attempt_id, step_id, revision_id, position, asks, tries, first_correct, solved, done_at",
    "answers": "attempt_id, user_id, step_id, revision_id, try_no, answer, correct, hints, seconds, local_date, "
    "created_at",
    "lesson_progress": "user_id, lesson_id, best_score, completions, first_completed_at, first_local_date, "
    "last_completed_at, last_local_date",
    "activity_days": "user_id, local_date, lessons, distinct_lessons, answers, correct, first_try, seconds, xp, mended",
    "course_completions": "user_id, course_id, completed_at, local_date",
    "daily_goals": "user_id, local_date, slot, kind, target, coins, reached_at",
    "streak_repairs": "user_id, missed_date, local_date, repaired_at, attempt_id",
    "earned_badges": "user_id, badge, earned_at, local_date, attempt_id",
    "ledger_entries": "user_id, currency, amount, rule, source, local_date, created_at, attempt_id, details",
    "notifications": "user_id, kind, source, details, created_at, read_at",
}
"""The tables that a story fills, in an order in which each finds what it refers to, and the columns that it writes."""

_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def told(text: str) -> str:
    """Text as COPY reads it."""
    return text.translate(_ESCAPED)


def line(values: Iterable[Any]) -> str:
    """A row."""
    return "\t".join([_WRITTEN[type(value)](value) for value in values])


def _json(value: Any) -> str:
    return told(json.dumps(value))


_WRITTEN: dict[type, Callable[[Any], str]] = {
    NoneType: lambda _: "\\N",
    bool: lambda value: "t" if value else "f",
    int: str,
    str: told,
    Decimal: str,
    datetime: datetime.isoformat,
    date: date.isoformat,
    dict: _json,
    list: _json,
}


class Sheets:
    """Rows by table."""

    def __init__(self) -> None:
        self.lines: dict[str, list[str]] = {name: [] for name in COLUMNS}

    def put(self, table: str, *values: Any) -> None:
        """Add a row; the values in the order of `COLUMNS`."""
        self.lines[table].append(line(values))

    def take(self) -> dict[str, bytes]:
        """What COPY gets, table by table; the sheets are empty afterwards."""
        taken = {
            name: ("\n".join(lines) + "\n").encode() if lines else b"" for name, lines in self.lines.items()
        }
        for lines in self.lines.values():
            lines.clear()
        return taken
