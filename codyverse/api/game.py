"""The game over the API: the dashboard, levels, badges, goals, the ledger."""

from codyverse.accounts import services as accounts
from codyverse.accounts.game_days import today_of
from codyverse.accounts.queries import intensity_of
from codyverse.api.operation import Reply, operation
from codyverse.api.schemas.common import Page, PageQuery, page_of
from codyverse.api.schemas.game import (
    BadgeOut,
    BadgesQuery,
    DashboardOut,
    GoalOut,
    GoalsOut,
    GoalsQuery,
    IntensityIn,
    LedgerEntryOut,
    LedgerQuery,
    LevelOut,
    NewsOut,
    PastDayOut,
    PastGoalOut,
    PlayerOut,
    StreakOut,
    WalletOut,
)
from codyverse.api.schemas.notifications import NotificationOut
from codyverse.api.subjects import subject
from codyverse.core.clock import now
from codyverse.gamification import badge_queries, services
from codyverse.gamification import queries as game
from codyverse.gamification.goals import PastDay
from codyverse.http.access import principal
from codyverse.notifications.dashboard import Dashboard, dashboard, version_of

TAG = "Game"


def _own_version(user_id: str) -> tuple[str, str] | None:
    """Under which name and version a learner's own dashboard is kept; that of others is read each time."""
    whose, who = subject(user_id), principal()
    version = version_of(who, now()) if whose == who.id else None
    return None if version is None else (f"dashboard:{whose}", version)


@operation(
    "GET",
    "/gamification/dashboard/<user_id>",
    "getDashboard",
    tag=TAG,
    summary="A learner's standing",
    scope="game:read",
    returns=DashboardOut,
    brings=("standing",),
    version=_own_version,
)
def get_dashboard(user_id: str) -> Reply:
    """XP, level, wallet, badges, today's goals, streak and what is unread. What the learner left out is null."""
    found = dashboard(subject(user_id), now())
    return Reply(_dashboard(found), fleeting=found.card.mend is not None)


def _dashboard(found: Dashboard) -> DashboardOut:
    hidden = found.hidden
    shown = [BadgeOut.model_validate(each) for each in found.badges]
    latest = [NotificationOut.model_validate(each) for each in found.latest]
    return DashboardOut(
        user=_player(found),
        wallet=None if "coins" in hidden else _wallet(found),
        badges=None if "badges" in hidden else shown,
        goals=None if "goals" in hidden else [GoalOut.model_validate(each) for each in found.goals],
        streak=None if "streak" in hidden else _streak(found),
        notifications=NewsOut(unread=found.unread, latest=latest),
    )


def _player(found: Dashboard) -> PlayerOut:
    card, shows = found.card, "xp" not in found.hidden
    return PlayerOut(
        id=found.user_id,
        name=found.name,
        total_xp=card.xp if shows else None,
        level=card.level if shows else None,
        level_name=card.level_name if shows else None,
        level_icon=card.level_icon if shows else None,
        xp_to_next=card.xp_to_next if shows else None,
        xp_progress=card.xp_progress if shows else None,
    )


def _wallet(found: Dashboard) -> WalletOut:
    card = found.card
    spent = found.coins_spent
    return WalletOut(
        coins=card.coins, gems=card.gems, total_coins_earned=found.coins_earned, total_coins_spent=spent
    )


def _streak(found: Dashboard) -> StreakOut:
    card = found.card
    return StreakOut(
        current=card.streak,
        best=card.best_streak,
        unit="weeks" if card.weekly else "days",
        studied_today=card.studied_today,
        days_learned=card.days_learned,
        freezes=card.freezes,
        mend=card.mend,
    )


@operation(
    "GET",
    "/gamification/levels",
    "listLevels",
    tag=TAG,
    summary="The levels",
    scope="game:read",
    query=PageQuery,
    returns=Page[LevelOut],
)
def list_levels(query: PageQuery) -> Reply:
    """Lowest first. Reaching a level brings as many gems as its number."""
    return Reply(Page[LevelOut].model_validate(page_of(game.levels(), query)))


@operation(
    "GET",
    "/gamification/badges",
    "listBadges",
    tag=TAG,
    summary="All badges, and how far you are",
    scope="game:read",
    query=BadgesQuery,
    returns=Page[BadgeOut],
)
def list_badges(query: BadgesQuery) -> Reply:
    """In the catalogue's order, by category. Badges for mechanics that you left out are left out here too."""
    who = principal()
    found = [
        badge
        for group in badge_queries.badge_board(who.id, who.preferences.hidden).groups
        for badge in group.badges
        if query.category in (None, badge.category) and query.earned in (None, _flag(badge.earned_on))
    ]
    return Reply(Page[BadgeOut].model_validate(page_of(found, query)))


def _flag(found: object | None) -> str:
    return "false" if found is None else "true"


@operation(
    "GET",
    "/gamification/goals/<user_id>",
    "getGoals",
    tag=TAG,
    summary="Today's goals, and past ones",
    scope="game:read",
    query=GoalsQuery,
    returns=GoalsOut,
)
def get_goals(user_id: str, query: GoalsQuery) -> Reply:
    """Three a day, the same whenever they are asked for."""
    return Reply(_goals(subject(user_id), query))


@operation(
    "PUT",
    "/gamification/goals/<user_id>",
    "chooseGoals",
    tag=TAG,
    summary="Ask for more or less",
    scope="game:write",
    body=IntensityIn,
    returns=GoalsOut,
    example={"intensity": "serious"},
)
def choose_goals(user_id: str, body: IntensityIn) -> Reply:
    """From tomorrow on; today's goals stay as they are. Again is harmless."""
    whose = subject(user_id)
    services.keep_todays_goals(whose)
    accounts.change_goal_intensity(whose, body.intensity)
    return Reply(_goals(whose, GoalsQuery()), "Tomorrow's goals follow it.")


def _goals(user_id: int, query: GoalsQuery) -> GoalsOut:
    at = now()
    today = today_of(user_id, at)
    past = game.past_goals(user_id, min(query.before or today, today), query.days) if query.days else ()
    told = {
        "date": today,
        "intensity": intensity_of(user_id),
        "goals": game.goals(user_id, at),
        "targets": game.goal_targets(),
        "past": [_past(day) for day in past],
    }
    return GoalsOut.model_validate(told)


def _past(day: PastDay) -> PastDayOut:
    goals = [
        PastGoalOut.model_validate(
            {
                "slot": goal.slot,
                "kind": goal.kind,
                "target": goal.target,
                "coins": goal.coins,
                "reached": reached,
            }
        )
        for goal, reached in day.goals
    ]
    return PastDayOut(date=day.date, goals=goals)


@operation(
    "GET",
    "/gamification/ledger/<user_id>",
    "listLedger",
    tag=TAG,
    summary="Every XP, coin and gem, and why",
    scope="game:read",
    query=LedgerQuery,
    returns=Page[LedgerEntryOut],
)
def list_ledger(user_id: str, query: LedgerQuery) -> Reply:
    """Newest first. Spending is negative; the sums are what the dashboard shows."""
    found = game.ledger_slice(
        subject(user_id),
        offset=query.offset,
        limit=query.per_page,
        currency=query.currency,
        rule=query.rule,
        since=query.since,
        until=query.until,
    )
    page = {
        "items": found.entries,
        "page": query.page,
        "per_page": query.per_page,
        "total": found.total,
    }
    return Reply(Page[LedgerEntryOut].model_validate(page))


@operation(
    "GET",
    "/gamification/ledger/<user_id>/<id:entry_id>",
    "getLedgerEntry",
    tag=TAG,
    summary="One entry of the ledger",
    scope="game:read",
    returns=LedgerEntryOut,
)
def get_ledger_entry(user_id: str, entry_id: int) -> Reply:
    """Why did I get this? The reason names the numbers that went into it."""
    return Reply(LedgerEntryOut.model_validate(game.ledger_entry(subject(user_id), entry_id)))
