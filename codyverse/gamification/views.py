"""What reads of the game give: the player's card, goals, what a completion brought."""

from dataclasses import dataclass
from datetime import date

from codyverse.gamification.ledger_reads import EntryLine


@dataclass(frozen=True, slots=True)
class DayDot:
    """A day of the card's week (weekday 0 is Monday). `lessons` finished on it.

    The week is the last seven days; in weekly mode it runs from Monday to Sunday, and some of it may be `future`.
    `kept` says how a missed day was kept: frozen, mended or bridged; "" if it was not.
    """

    date: date
    weekday: int
    lessons: int
    today: bool
    future: bool
    kept: str = ""


@dataclass(frozen=True, slots=True)
class PlayerCard:
    """A player at one moment. XP within the level; the three about the next level are None, None and 1 at the top.

    `streak` as it is alive today (yesterday's is alive until today ends) and `best_streak` ever, both in days, or in
    weeks if `weekly` was chosen. `mend` is the missed day that a second lesson today would repair. What Cody and the
    page wear (`outfit`, `world`) is left out for those who left out coins.
    """

    xp: int
    level: int
    level_name: str
    level_icon: str
    xp_into_level: int
    xp_for_level: int | None
    xp_to_next: int | None
    xp_progress: float
    coins: int
    gems: int
    streak: int
    best_streak: int
    studied_today: bool
    week: tuple[DayDot, ...]
    weekly: bool = False
    week_days: int = 0
    days_learned: int = 0
    freezes: int = 0
    mend: date | None = None
    outfit: str | None = None
    world: str | None = None


@dataclass(frozen=True, slots=True)
class GoalView:
    """A goal of today. `progress` may go beyond `target`; `coins` are what it pays or paid."""

    slot: int
    kind: str
    target: int
    progress: int
    coins: int
    reached: bool


@dataclass(frozen=True, slots=True)
class Board:
    """Card and goals together, for pages that show both."""

    card: PlayerCard
    goals: tuple[GoalView, ...]


@dataclass(frozen=True, slots=True)
class LevelView:
    """A level that was reached, the gems that it paid, and what it opened in the shop."""

    number: int
    name: str
    icon: str
    gems: int
    opens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StreakView:
    """The streak on the day of a completion; `extended` if this one made the day count, `mended` the day it repaired."""

    days: int
    extended: bool
    mended: date | None = None


@dataclass(frozen=True, slots=True)
class Rewards:
    """All that one attempt brought. `goals` are those reached in it, `level_up` the highest level reached in it."""

    xp: int
    coins: int
    gems: int
    entries: tuple[EntryLine, ...]
    level_up: LevelView | None
    goals: tuple[GoalView, ...]
    streak: StreakView
