"""Which event reaches which handler, in which order. The one screen on which it stands."""

from codyverse.accounts.events import AddressTaken, LinkAsked, SecurityChanged, UserRegistered
from codyverse.accounts.riders import Rider, ride_along
from codyverse.core import together
from codyverse.core.events import subscribe
from codyverse.courses import versions
from codyverse.courses.events import LessonsPublished
from codyverse.gamification import effects, streak_care
from codyverse.gamification.badge_facts import GAME_RIDER
from codyverse.gamification.badges import BadgeReview, grant_due
from codyverse.gamification.events import BadgeEarned, GoalReached, ItemBought, LevelReached
from codyverse.gamification.leagues.events import LeagueClosed
from codyverse.gamification.leagues.services import league
from codyverse.gamification.services import on_user_registered
from codyverse.gamification.settlement import settle, until_nothing_follows
from codyverse.gamification.statements import GOALS_RIDER
from codyverse.notifications import account_mails, dashboard
from codyverse.notifications import handlers as news
from codyverse.notifications.statements import READER
from codyverse.progress import seen, whole_courses
from codyverse.progress.events import CourseCompleted, LessonCompleted, StepAnswered, StudyTimeGrew
from codyverse.webhooks import outbox

# The order of effects: lesson → streak → goals → badges → levels. Badges stand before levels, for their XP counts for
# levels; it never counts for goals, which have been marked by then. A level or a badge can bring the next badge.
BADGES_AND_LEVELS = until_nothing_follows(grant_due, effects.levels)
OF_A_LESSON = (effects.lesson, league, streak_care.streak, effects.goals, BADGES_AND_LEVELS)
OF_STUDY = (effects.goals, BADGES_AND_LEVELS)
OF_A_REVIEW = (BADGES_AND_LEVELS,)


def install() -> None:
    """Connect everything; once per process, again is harmless."""
    ride_along(Rider("content", versions.COLUMN, versions.remember, always=True))
    for each in seen.RIDERS:
        ride_along(each)
    ride_along(Rider("standing", dashboard.MARK, dashboard.take_mark))
    for rider in (GAME_RIDER, whole_courses.RIDER, READER, outbox.RIDER):
        together.ride_along("lesson", rider)
    together.ride_along("study", GOALS_RIDER)
    subscribe(UserRegistered, on_user_registered)
    subscribe(LinkAsked, account_mails.on_link_asked)
    subscribe(AddressTaken, account_mails.on_address_taken)
    subscribe(SecurityChanged, account_mails.on_security_changed)
    subscribe(StepAnswered, _answered)
    subscribe(StudyTimeGrew, _studied)
    subscribe(LessonCompleted, outbox.on_lesson_completed)
    subscribe(LessonCompleted, _completed)
    subscribe(LessonCompleted, whole_courses.on_lesson_completed)
    subscribe(BadgeReview, _reviewed)
    subscribe(GoalReached, news.on_goal_reached)
    subscribe(BadgeEarned, news.on_badge_earned)
    subscribe(LevelReached, news.on_level_reached)
    subscribe(ItemBought, news.on_item_bought)
    subscribe(LeagueClosed, news.on_league_closed)
    subscribe(LessonsPublished, news.on_lessons_published)
    subscribe(BadgeEarned, outbox.on_badge_earned)
    subscribe(LevelReached, outbox.on_level_reached)
    subscribe(CourseCompleted, outbox.on_course_completed)


def _answered(fact: StepAnswered) -> None:
    settle(fact, OF_STUDY)


def _studied(fact: StudyTimeGrew) -> None:
    settle(fact, OF_STUDY)


def _completed(fact: LessonCompleted) -> None:
    settle(fact, OF_A_LESSON)


def _reviewed(fact: BadgeReview) -> None:
    settle(fact, OF_A_REVIEW)
