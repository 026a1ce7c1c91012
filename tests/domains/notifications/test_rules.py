"""The words of notifications, quiet hours, when reminders and digests are due."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from codyverse.accounts.queries import MECHANICS
from codyverse.notifications import rules
from codyverse.notifications.rules import KINDS, digest_date, is_quiet, reminder_date, visible_kinds, words

DETAILS: dict[str, dict[str, Any]] = {
    "badge": {"badge": "first-steps", "name": "First Steps", "rarity": "common", "xp": 50, "coins": 10},
    "level": {"level": 3, "name": "Student", "gems": 3},
    "goal": {"goal": "lessons", "target": 1, "coins": 10, "all_reached": True},
    "streak": {"days": 5},
    "league": {"place": 2, "members": 14, "quest": True, "coins": 20},
    "course": {"title": "How AI works", "slug": "how-ai-works", "lessons": 1, "new": False},
}
SAID = {
    "badge": ("Badge earned: First Steps", "It brings 50 XP and 10 coins."),
    "level": ("Level 3: Student", "It brings 3 gems."),
    "goal": ("Goal reached: 1 lesson", "All three goals of the day are done. It brings 10 coins."),
    "streak": (
        "5 days in a row so far",
        "One lesson today, however short, and it goes on. A break is fine too.",
    ),
    "league": (
        "Your league's week is over: place 2 of 14",
        "Together you finished the quest, which brings you 20 coins.",
    ),
    "course": ("New in How AI works", "1 lesson more to light up."),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_each_kind_says(kind: str) -> None:
    said = words(kind, DETAILS[kind])
    assert (said.title, said.text) == SAID[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_mechanics_are_not_in_the_words(kind: str) -> None:
    said = words(kind, DETAILS[kind], frozenset({"coins", "xp"}))
    assert not any(word in f"{said.title} {said.text}" for word in ("coin", "gem", "XP"))


def test_hidden_mechanics_leave_only_news_of_courses() -> None:
    assert visible_kinds(frozenset()) == KINDS
    assert visible_kinds(frozenset(MECHANICS)) == ("course",)


BERLIN, TOKYO = "Europe/Berlin", "Asia/Tokyo"
QUIET = [
    # now (UTC), zone, quiet from, until, is it quiet?
    ("2026-03-10 20:59", BERLIN, 22, 8, False),
    ("2026-03-10 21:00", BERLIN, 22, 8, True),  # 22:00 there
    ("2026-03-11 06:59", BERLIN, 22, 8, True),
    ("2026-03-11 07:00", BERLIN, 22, 8, False),
    ("2026-03-10 12:30", TOKYO, 9, 22, True),  # 21:30 there
    ("2026-03-10 13:30", TOKYO, 9, 22, False),
    ("2026-03-29 20:30", BERLIN, 22, 8, True),  # summer time has begun: 22:30 there
    ("2026-03-28 20:30", BERLIN, 22, 8, False),
    ("2026-03-10 20:59", BERLIN, None, None, False),
    ("2026-03-10 20:59", BERLIN, 7, 7, False),
]


@pytest.mark.parametrize(("at", "zone", "begin", "end", "quiet"), QUIET)
def test_quiet_hours(at: str, zone: str, begin: int | None, end: int | None, quiet: bool) -> None:
    assert is_quiet(moment(at), zone, begin, end) is quiet


REMINDERS = [
    # now (UTC), zone, day starts, streak, last active day, the day it is about
    ("2026-03-10 18:00", BERLIN, 4, 5, "2026-03-09", "2026-03-10"),
    ("2026-03-10 18:00", BERLIN, 4, 5, "2026-03-10", None),  # learned today already
    ("2026-03-10 18:00", BERLIN, 4, 5, "2026-03-08", None),  # over, and nobody scolds
    ("2026-03-10 18:00", BERLIN, 4, 1, "2026-03-09", None),  # one day is no streak yet
    ("2026-03-10 22:30", BERLIN, 4, 5, "2026-03-09", None),  # 23:30 there
    ("2026-03-11 02:00", BERLIN, 4, 5, "2026-03-09", None),  # 03:00 there, still the 10th
    ("2026-03-10 23:30", TOKYO, 4, 5, "2026-03-10", "2026-03-11"),  # 08:30 there
]


@pytest.mark.parametrize("case", REMINDERS, ids=str)
def test_reminders(case: tuple[str, str, int, int, str, str | None]) -> None:
    at, zone, start, streak, last, day = case
    found = reminder_date(moment(at), zone, start, streak, date.fromisoformat(last))
    assert found == (date.fromisoformat(day) if day else None)


def test_a_digest_comes_from_its_readers_hour_on() -> None:
    assert digest_date(moment("2026-03-10 15:59"), BERLIN, 17) is None
    assert digest_date(moment("2026-03-10 16:00"), BERLIN, 17) == date(2026, 3, 10)
    assert digest_date(moment("2026-03-10 22:59"), BERLIN, 17) == date(2026, 3, 10)
    assert digest_date(moment("2026-03-10 23:00"), BERLIN, 17) is None


def test_mails_are_tried_again_ever_later() -> None:
    at = moment("2026-03-10 12:00")
    waits = [(rules.next_try(at, tries) - at).total_seconds() / 60 for tries in range(1, rules.MOST_TRIES)]
    assert waits == [1, 2, 4, 8, 16, 32, 64]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
