"""What lower rooms report, turned into notifications, in the same transaction. Connected in `wiring.py`."""

from datetime import date, timedelta

from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.courses.events import LessonsPublished
from codyverse.gamification.events import BadgeEarned, GoalReached, ItemBought, LevelReached
from codyverse.gamification.leagues.events import LeagueClosed
from codyverse.notifications.services import News, stir, tell, tell_with_it
from codyverse.notifications.statements import FOLLOWERS, LATELY_ACTIVE

LATELY = timedelta(days=60)
"""Who has learned in this time hears of new courses."""


def on_badge_earned(event: BadgeEarned) -> None:
    """A badge."""
    details = {
        "badge": event.badge,
        "name": event.name,
        "rarity": event.rarity,
        "xp": event.xp,
        "coins": event.coins,
    }
    tell_with_it(News("badge", f"badge:{event.badge}", details, event.user_id, event.at))


def on_level_reached(event: LevelReached) -> None:
    """A new level."""
    details = {"level": event.level, "name": event.name, "gems": event.gems}
    tell_with_it(News("level", f"level:{event.level}", details, event.user_id, event.at))


def on_goal_reached(event: GoalReached) -> None:
    """A goal of the day."""
    details = {
        "goal": event.kind,
        "target": event.target,
        "coins": event.coins,
        "all_reached": event.all_reached,
    }
    tell_with_it(News("goal", f"goal:{event.local_date}:{event.slot}", details, event.user_id, event.at))


def on_item_bought(event: ItemBought) -> None:
    """No news to whoever bought it; their other tabs show the old balance."""
    stir(event.user_id)


def on_league_closed(event: LeagueClosed) -> None:
    """The result of a league's week."""
    details = {
        "place": event.rank,
        "members": event.members,
        "quest": event.quest_reached,
        "coins": event.coins,
    }
    tell_with_it(News("league", f"league:{event.week}", details, event.user_id, event.at))


def on_lessons_published(event: LessonsPublished) -> None:
    """News of a course for those who have begun it; of a whole new course for all who learned lately.

    Told once per course and day, however often its files are loaded.
    """
    at = now()
    if event.new_course:
        found = session.connection().execute(LATELY_ACTIVE, {"since": at.date() - LATELY})
    else:
        found = session.connection().execute(FOLLOWERS, {"course_id": event.course_id})
    details = {
        "title": event.title,
        "slug": event.slug,
        "lessons": event.lessons,
        "new": event.new_course,
    }
    today: date = at.date()
    tell("course", f"course:{event.course_id}:{today}", details, [row.user_id for row in found], at)
