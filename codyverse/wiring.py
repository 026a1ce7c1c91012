"""Which event reaches which handler, in which order. The one screen on which it stands."""

from codyverse.accounts.events import UserRegistered
from codyverse.core.events import subscribe
from codyverse.courses.events import LessonsPublished
from codyverse.gamification import effects, streak_care
from codyverse.gamification.events import BadgeEarned, GoalReached, LevelReached
from codyverse.gamification.services import on_user_registered
from codyverse.gamification.settlement import settle
from codyverse.notifications import handlers as news
from codyverse.progress.events import LessonCompleted, StepAnswered, StudyTimeGrew

# The order of effects: lesson → streak → goals → badges → levels. Badges will stand before levels, for their XP counts
# for levels; it never counts for goals, which have been marked by then.
OF_A_LESSON = (effects.lesson, streak_care.streak, effects.goals, effects.levels)
OF_STUDY = (effects.goals, effects.levels)


def install() -> None:
    """Connect everything; once per process, again is harmless."""
    subscribe(UserRegistered, on_user_registered)
    subscribe(StepAnswered, _answered)
    subscribe(StudyTimeGrew, _studied)
    subscribe(LessonCompleted, _completed)
    subscribe(GoalReached, news.on_goal_reached)
    subscribe(BadgeEarned, news.on_badge_earned)
    subscribe(LevelReached, news.on_level_reached)
    subscribe(LessonsPublished, news.on_lessons_published)


def _answered(fact: StepAnswered) -> None:
    settle(fact, OF_STUDY)


def _studied(fact: StudyTimeGrew) -> None:
    settle(fact, OF_STUDY)


def _completed(fact: LessonCompleted) -> None:
    settle(fact, OF_A_LESSON)
