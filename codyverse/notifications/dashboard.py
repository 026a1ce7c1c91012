"""A learner's whole standing at one moment, for programs: the game and what is new, in as few statements as can be."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Executable, text

from codyverse.accounts.queries import Preferences, Principal
from codyverse.accounts.rules import game_date, stamped_date
from codyverse.core.asking import ask, ask_one
from codyverse.core.database import noted
from codyverse.core.errors import NotFound
from codyverse.courses.versions import content_version
from codyverse.gamification.badge_queries import BadgeView, views_of
from codyverse.gamification.queries import (
    Board,
    GoalView,
    PlayerCard,
    board_of,
    board_values,
    card_of,
    right_values,
    whole_board,
)
from codyverse.notifications import rules
from codyverse.notifications.queries import Bell, NewsLine, bell_of, line
from codyverse.progress import queries as study

LATEST = 5


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The learner's card and goals, badges (newest first), all coins ever earned and spent, and what is unread.

    `hidden` are the mechanics that the learner has left out: badges and news of theirs are left out here, the rest is
    for the face to leave out. `latest` are the newest unread notifications, at most five.
    """

    user_id: int
    name: str
    hidden: frozenset[str]
    card: PlayerCard
    goals: tuple[GoalView, ...]
    badges: tuple[BadgeView, ...]
    coins_earned: int
    coins_spent: int
    unread: int
    latest: tuple[NewsLine, ...]


_EVERYTHING = text("select * from game_standing(:user_id, :kinds, :mechanics, :latest)")
_WITH_BELL = text("select * from page_head(:user_id, :kinds)")
_PAGE = text("select * from own_page(:user_id, :first, :last, :local_date, :enough, :weak_below, :kinds)")
_STEPS_WITH_HEAD = text("select * from step_page(:user_id, :attempt_id, :kinds)")
"""Functions of the database: what pages read has to be planned once, not for each of them (docs/decisions/settling.md)."""


def head(who: Principal, at: datetime) -> tuple[PlayerCard, Bell]:
    """What the head of every page shows, in one statement; in two when a streak has a story. Raises NotFound."""
    row = _row_of(who, _WITH_BELL, {})
    return card_of(who.id, row, at), bell_of(row)


@dataclass(frozen=True, slots=True)
class OwnPage:
    """What a learner's own page shows: card with its week and goals, the bell, where to go on, lessons done by course."""

    board: Board
    bell: Bell
    resume: study.Continue | None
    done: dict[int, int]


def own_page(who: Principal, at: datetime) -> OwnPage:
    """All of it in one statement; in two when a streak has a story, or a journey made the date another one than it is
    there. Raises NotFound."""
    today = game_date(at, who.time_zone, who.day_start_hour)
    asked = board_values(who.id, today, weekly=who.preferences.streak_mode == "weekly")
    row = _row_of(who, _PAGE, asked)
    right = right_values(who.id, row, at)
    if right != asked:
        row = _row_of(who, _PAGE, right)
    board = whole_board(who.id, row, at)
    return OwnPage(board, bell_of(row), study.continue_in(row.resume), study.progress_in(row.course_progress))


def player_with_head(
    who: Principal, at: datetime, attempt_id: int, where: study.Where
) -> tuple[study.PlayerView, PlayerCard, Bell]:
    """The learner's own attempt, and what the head of its page shows: one statement, two when a streak has a story, and
    one for what the step says, if that is not kept. Raises NotFound."""
    kinds = list(rules.shown_kinds(who.preferences.hidden))
    rows = ask(_STEPS_WITH_HEAD, {"user_id": who.id, "attempt_id": attempt_id, "kinds": kinds})
    player = study.player_in(rows, where)
    return player, card_of(who.id, rows[0], at, who.preferences), bell_of(rows[0])


def _row_of(who: Principal, statement: Executable, values: dict[str, Any]) -> Any:
    kinds = list(rules.shown_kinds(who.preferences.hidden))
    row = ask_one(statement, {**values, "user_id": who.id, "kinds": kinds})
    if row is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    return row


MARK = "standing_mark(users.id, users.xmin, users.last_game_date, users.owed_until)"
"""What differs whenever a dashboard does: all that it shows is written together with one of these rows, which then has
another `xmin`. After it the date that was stamped last, and what that date is owed. A rider: it may name `users`."""
_MARK = "codyverse_standing_mark"


def take_mark(mark: str) -> None:
    """Take the mark that the statement brought which found out who acts."""
    noted()[_MARK] = mark


def version_of(who: Principal, at: datetime) -> str | None:
    """The version of this learner's own dashboard at the moment `at`, None if no mark was brought. No statement.

    It is their rows, the courses (goals ask what is left to learn), and the date that they have.
    """
    mark: str | None = noted().get(_MARK)
    if mark is None:
        return None
    rows, last, owed = mark.split("|")
    stamped = date.fromisoformat(last) if last else None
    until = datetime.fromtimestamp(float(owed), UTC) if owed else None
    today = stamped_date(at, who.time_zone, who.day_start_hour, stamped, until)
    return f"{rows}.{content_version()}.{today}"


def dashboard(user_id: int, at: datetime) -> Dashboard:
    """Everything about a learner at the moment `at`; writes nothing. Raises NotFound.

    Two statements, three when the streak may have been bridged, mended or counts weeks; never more, however much there is.
    """
    values = {
        "user_id": user_id,
        "kinds": [*rules.KINDS, *rules.ALWAYS],
        "mechanics": [rules.MECHANIC_OF.get(kind) for kind in (*rules.KINDS, *rules.ALWAYS)],
        "latest": LATEST,
    }
    row = ask_one(_EVERYTHING, values)
    if row is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    hidden = Preferences.read(row.preferences).hidden
    board = board_of(user_id, row, at, week=False)
    earned = [(key, date.fromisoformat(day)) for key, day in row.earned or ()]
    news = [(number, kind, told, _moment(when)) for number, kind, told, when in row.latest or ()]
    return Dashboard(
        user_id=user_id,
        name=row.display_name,
        hidden=hidden,
        card=board.card,
        goals=board.goals,
        badges=() if "badges" in hidden else views_of(earned, hidden),
        coins_earned=int(row.coins_earned),
        coins_spent=int(row.coins_earned) - board.card.coins,
        unread=row.unread,
        latest=tuple(line(*each, read=False, hidden=hidden) for each in news),
    )


def _moment(told: str) -> datetime:
    return datetime.fromisoformat(told)
