"""Progress over the API: what was learned, where somebody is, and what programs report that they did elsewhere."""

from datetime import date
from typing import Any

from codyverse.accounts.game_days import today_of
from codyverse.api.operation import Reply, operation
from codyverse.api.running import must_hold
from codyverse.api.schemas.game import BadgeOut, GoalOut, LevelUpOut, taken
from codyverse.api.schemas.progress import (
    DayOut,
    DaysOut,
    DaysQuery,
    LessonProgressOut,
    ProgressIn,
    ProgressOut,
    ProgressQuery,
    ReportIn,
    ReportOut,
    SavedOut,
)
from codyverse.api.subjects import subject
from codyverse.core.clock import now
from codyverse.courses import queries as courses
from codyverse.gamification import badge_queries
from codyverse.gamification import queries as game
from codyverse.gamification.streak_care import kept_days
from codyverse.http.access import principal
from codyverse.progress import overview, queries, reports
from codyverse.progress.overview import LessonStanding
from codyverse.progress.reports import Report

TAG = "Progress"
MOST_DAYS, A_MONTH = 365, 29
"""Of days before the one that they end on."""


@operation(
    "GET",
    "/progress/user/<user_id>",
    "getProgress",
    tag=TAG,
    summary="A learner's progress",
    scope="progress:read",
    query=ProgressQuery,
    returns=ProgressOut,
)
def get_progress(user_id: str, query: ProgressQuery) -> Reply:
    """Every lesson that was begun or done, how far each course is, the sums of all study days, where to go on."""
    whose = subject(user_id)
    done = queries.course_progress(whose)
    told = {
        "user_id": whose,
        "totals": overview.totals(whose),
        "courses": [
            {
                "course_id": card.id,
                "slug": card.slug,
                "title": card.title,
                "lessons": card.lessons,
                "completed": done.get(card.id, 0),
            }
            for card in courses.catalogue()
            if query.course_id in (None, card.id)
        ],
        "lessons": [_lesson(each) for each in overview.lesson_standings(whose, query.course_id)],
        "continue_with": queries.continue_with(whose),
    }
    return Reply(ProgressOut.model_validate(told))


def _lesson(standing: LessonStanding) -> LessonProgressOut:
    best = None if standing.best_score is None else float(standing.best_score)
    fields = taken(LessonProgressOut, standing, completed=standing.completions > 0, best_score=best)
    return LessonProgressOut(**fields)


@operation(
    "GET",
    "/progress/user/<user_id>/days",
    "listDays",
    tag=TAG,
    summary="A learner's study days",
    scope="progress:read",
    query=DaysQuery,
    returns=DaysOut,
)
def list_days(user_id: str, query: DaysQuery) -> Reply:
    """By the learner's own dates: what was done on each, and how days without a lesson were kept for the streak."""
    whose = subject(user_id)
    today = today_of(whose, now())
    until = query.until or today
    since = max(query.since or _before(until, A_MONTH), _before(until, MOST_DAYS))
    worked = {day.date: day for day in queries.activity(whose, since, until)}
    kept = kept_days(whose, today, since, until)
    items = [_day(day, worked.get(day), kept.get(day)) for day in sorted(worked.keys() | kept.keys())]
    return Reply(DaysOut(since=since, until=until, items=items))


def _before(day: date, days: int) -> date:
    return date.fromordinal(max(1, day.toordinal() - days))


def _day(day: date, work: queries.Day | None, kept: str | None) -> DayOut:
    numbers = ("lessons", "answers", "correct", "seconds", "xp")
    return DayOut(date=day, kept=kept, **{name: getattr(work, name) if work else 0 for name in numbers})


@operation(
    "POST",
    "/gamification/lesson-complete/<user_id>",
    "reportLesson",
    tag=TAG,
    summary="Report a lesson as finished",
    scope="progress:report",
    body=ReportIn,
    returns=ReportOut,
    errors=("LESSON_NOT_FOUND",),
    example={"lessonId": 1, "timeSpent": 6, "score": 87.5},
)
def report_lesson(user_id: str, body: ReportIn) -> Reply:
    """For systems that let people learn elsewhere: it is believed and paid as a lesson that was done here, once.

    Time counts up to the lesson's estimate. The same lesson again on the same local day changes nothing unless its score
    is better than the best, which pays the difference; on another day it counts for the streak. A token needs the scope
    `progress:report`, which only an operator grants; operators report for everybody, others for themselves.
    """
    whose = subject(user_id)
    report = reports.report_completion(whose, body.lesson_id, body.time_spent, body.score)
    return Reply(ReportOut(**_brought(whose, body.lesson_id, report)), _said(report))


@operation(
    "POST",
    "/progress/lesson/<user_id>",
    "saveProgress",
    tag=TAG,
    summary="Save where somebody is in a lesson",
    body=ProgressIn,
    returns=SavedOut,
    errors=("LESSON_NOT_FOUND",),
    example={"lessonId": 1, "completed": False, "timeSpent": 3},
)
def save_progress(user_id: str, body: ProgressIn) -> Reply:
    """Not completed, it only keeps the position: the lesson is open, and "continue" leads to it.

    That needs the scope `progress:write` and earns nothing; `timeSpent` is an upper bound, for time counts as the server
    sees it pass. Completed, it is the same as POST /gamification/lesson-complete and needs the scope
    `progress:report`, as does saving for somebody else; without a score it counts as 0, and a later report with one
    pays the difference in XP (coins are paid once).
    """
    whose = subject(user_id)
    must_hold("progress:report" if body.completed or whose != principal().id else "progress:write")
    if body.completed:
        report = reports.report_completion(
            whose, body.lesson_id, body.time_spent, body.score, module_id=body.module_id
        )
        brought = _brought(whose, body.lesson_id, report)
        return Reply(SavedOut(**brought, completed=True, attempt_id=None), _said(report))
    attempt_id = reports.report_position(whose, body.lesson_id, body.time_spent, module_id=body.module_id)
    known = [each for each in overview.lesson_standings(whose) if each.lesson_id == body.lesson_id]
    nothing = _brought(whose, body.lesson_id, Report(None, first_time=not known[0].completions))
    return Reply(SavedOut(**nothing, completed=False, attempt_id=attempt_id), "The position is kept.")


def _said(report: Report) -> str:
    if report.attempt_id is None:
        return "This was known already; nothing changed."
    return "The lesson is finished." if report.first_time else "The lesson was done again."


def _brought(user_id: int, lesson_id: int, report: Report) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "lesson_id": lesson_id,
        "xp_awarded": 0,
        "coins_awarded": 0,
        "gems_awarded": 0,
        "new_badges": [],
        "level_up": None,
        "goals_completed": [],
        "streak_updated": False,
        "already_completed": not report.first_time,
    }
    if report.attempt_id is None:
        return fields
    rewards = game.rewards_of(user_id, report.attempt_id)
    level = rewards.level_up
    return fields | {
        "xp_awarded": rewards.xp,
        "coins_awarded": rewards.coins,
        "gems_awarded": rewards.gems,
        "new_badges": [BadgeOut.model_validate(each) for each in badge_queries.badges_in(rewards.entries)],
        "level_up": None
        if level is None
        else LevelUpOut(**taken(LevelUpOut, level, opens=list(level.opens))),
        "goals_completed": [GoalOut.model_validate(each) for each in rewards.goals],
        "streak_updated": rewards.streak.extended or rewards.streak.mended is not None,
    }
