"""All courses of content/, finished by simulated learners: levels rise as the rules intend (Grandmaster needs nearly all of it)."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from codyverse.accounts import services as accounts
from codyverse.core.clock import standing_at
from codyverse.core.database import session, unit_of_work
from codyverse.courses import queries as courses
from codyverse.courses.authoring.files import read_content
from codyverse.courses.services import apply_course
from codyverse.gamification import services
from codyverse.gamification.models import EarnedBadge, Player
from codyverse.progress.rehearsal import Style, play
from tests.conftest import undone
from tests.factories import make_user

CONTENT = Path(__file__).parents[3] / "content"
BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
GRANDMASTER = 8


@dataclass(frozen=True)
class Way:
    """How somebody goes through all of it: chance to be right at once, seconds a step, lessons on a day (Saturdays apart)."""

    skill: float
    seconds: tuple[int, int]
    a_day: int
    on_saturdays: int


KEEN = Way(1.0, (40, 90), 1, 5)
"""Perfect, thorough, every day, and once a week a long day: nearly every badge that there is on the way."""
CALM = Way(1.0, (40, 90), 1, 1)
GOOD = Way(0.85, (20, 60), 2, 5)
HASTY = Way(1.0, (1, 3), 20, 20)


@pytest.fixture(scope="module")
def real_lessons(_application: Flask) -> Iterator[list[int]]:
    """The real courses, once for this module; the ids of their lessons in the order of the catalogue."""
    found = read_content(CONTENT)
    assert not found.faults
    with undone(_application):
        with _application.app_context():
            for number, source in enumerate(found.courses):
                with unit_of_work():
                    apply_course(source, number)
            outlines = [courses.course_outline(card.slug) for card in courses.catalogue()]
        yield [lesson.id for outline in outlines for module in outline.modules for lesson in module.lessons]


@pytest.fixture
def lessons(real_lessons: list[int], app: Flask) -> list[int]:
    """What every test begins with: the courses, and nobody who has learned."""
    return real_lessons


def days(way: Way, lessons: list[int]) -> Iterator[tuple[datetime, list[int]]]:
    at, left = BEGIN, list(lessons)
    while left:
        size = way.on_saturdays if at.weekday() == 5 else way.a_day
        yield at, left[:size]
        left, at = left[size:], at + timedelta(days=1)


def levels_after_each_lesson(way: Way, lessons: list[int]) -> tuple[list[int], int]:
    """The level after the first, second … lesson, and whose they are."""
    with standing_at(BEGIN):
        user_id = make_user()
        with unit_of_work():
            accounts.change_preferences(user_id, goal_intensity="casual", hidden=frozenset(), theme="auto")
    style, dice, reached = Style(way.skill, *way.seconds), random.Random(3), []
    for morning, today in days(way, lessons):
        at = morning
        for lesson_id in today:
            with unit_of_work():
                at = play(user_id, lesson_id, at, until=at + timedelta(hours=3), style=style, dice=dice)
            at += timedelta(minutes=2)
            reached.append(session.scalar(select(Player.level).where(Player.user_id == user_id)))
    session.expire_all()
    return reached, user_id


def first_lesson_at(level: int, reached: list[int]) -> float:
    """Which share of the lessons it took to reach a level; more than 1 if it was not reached."""
    return next(
        (number for number, at in enumerate(reached, start=1) if at >= level), 2 * len(reached)
    ) / len(reached)


@pytest.mark.parametrize("way", [KEEN, CALM, GOOD], ids=["keen", "calm", "good"])
def test_grandmaster_takes_nearly_all_lessons_and_most_badges(way: Way, lessons: list[int]) -> None:
    reached, user_id = levels_after_each_lesson(way, lessons)
    assert len(reached) == len(lessons)
    assert reached == sorted(reached)
    assert first_lesson_at(2, reached) < 0.05
    assert 0.9 <= first_lesson_at(GRANDMASTER, reached) <= 1
    assert first_lesson_at(GRANDMASTER - 1, reached) >= 0.4
    earned = set(session.scalars(select(EarnedBadge.badge).where(EarnedBadge.user_id == user_id)))
    assert {"first-steps", "knowledge-seeker", "consistent-learner", "map-of-the-sky"} <= earned
    assert services.verify_ledger() == ()
    assert services.sync_badges(user_id) == ()


def test_all_lessons_in_three_days_at_no_time_are_not_enough(lessons: list[int]) -> None:
    """Somebody who knows it all and rushes through: every lesson perfect, hardly any study time, no streak."""
    reached, user_id = levels_after_each_lesson(HASTY, lessons)
    assert reached[-1] == GRANDMASTER - 1
    assert services.sync_badges(user_id) == ()
