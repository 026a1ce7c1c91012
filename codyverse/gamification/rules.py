"""The rules of the game: XP, coins, levels, daily goals, streak. Pure functions; every number and formula stands here.

Fractions are exact, so that each award is rounded once and nowhere else. The source of all of them is DESIGN §2.
"""

import hashlib
import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

ONE_DAY = timedelta(days=1)
GOAL_SLOTS = 3
DEFAULT_INTENSITY = "regular"


def _fixed(**values: int) -> Mapping[str, int]:
    return MappingProxyType(values)


def _targets() -> Mapping[str, Mapping[str, int]]:
    return MappingProxyType(
        {
            "casual": _fixed(lessons=1, xp=30, minutes=5, first_try=4, right=5),
            "regular": _fixed(lessons=2, xp=60, minutes=10, first_try=8, right=10),
            "serious": _fixed(lessons=3, xp=100, minutes=20, first_try=14, right=18),
        }
    )


@dataclass(frozen=True, slots=True)
class GameNumbers:
    """The numbers of the game; settings may replace them."""

    base_xp: Mapping[str, int] = field(
        default_factory=lambda: _fixed(beginner=20, intermediate=30, advanced=40)
    )
    base_coins: Mapping[str, int] = field(
        default_factory=lambda: _fixed(beginner=5, intermediate=8, advanced=10)
    )
    xp_per_minute: Decimal = Decimal("0.5")
    xp_per_point: Decimal = Decimal("0.2")
    coins_per_minute: Decimal = Decimal("0.1")
    coins_per_point: Decimal = Decimal("0.05")
    level_thresholds: tuple[int, ...] = (0, 100, 300, 600, 1000, 1500, 2500, 4000)
    goal_targets: Mapping[str, Mapping[str, int]] = field(default_factory=_targets)
    goal_coins: Mapping[str, int] = field(default_factory=lambda: _fixed(casual=5, regular=10, serious=15))
    all_goals_gems: int = 1


DEFAULTS = GameNumbers()
_LEVEL_NAMES = (
    ("Novice", "🌑"),
    ("Beginner", "🌒"),
    ("Student", "🌓"),
    ("Learner", "🌔"),
    ("Scholar", "🌕"),
    ("Expert", "⭐"),
    ("Master", "🌟"),
    ("Grandmaster", "🌌"),
)


# --- a lesson ---


def half_up(exact: Fraction) -> int:
    """The nearest whole number; a half goes up."""
    return math.floor(exact + Fraction(1, 2))


def lesson_xp(difficulty: str, seconds: int, score: Fraction, numbers: GameNumbers = DEFAULTS) -> int:
    """XP for a lesson's first completion: base + minutes × 0.5 + score × 0.2, rounded half up once.

    `seconds` of counted study time, `score` 0–100 exact.
    """
    minutes = Fraction(seconds, 60)
    exact = numbers.base_xp[difficulty] + minutes * Fraction(numbers.xp_per_minute)
    return half_up(exact + score * Fraction(numbers.xp_per_point))


def lesson_coins(difficulty: str, seconds: int, score: Fraction, numbers: GameNumbers = DEFAULTS) -> int:
    """Coins for a lesson's first completion: base + minutes × 0.1 + score × 0.05, rounded half up once."""
    minutes = Fraction(seconds, 60)
    exact = numbers.base_coins[difficulty] + minutes * Fraction(numbers.coins_per_minute)
    return half_up(exact + score * Fraction(numbers.coins_per_point))


def improvement_xp(score: Fraction, best: Fraction, numbers: GameNumbers = DEFAULTS) -> int:
    """XP for doing a lesson again: rounded 0.2 × new − rounded 0.2 × best, and nothing if that is not more."""
    point = Fraction(numbers.xp_per_point)
    return max(0, half_up(score * point) - half_up(best * point))


# --- levels ---


@dataclass(frozen=True, slots=True)
class Level:
    """A level: its number from 1, its name and icon, and the XP at which it begins."""

    number: int
    name: str
    icon: str
    threshold: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where some XP stands: `for_level` and `to_next` are None at the top, where `progress` (0–1) is 1."""

    level: Level
    into_level: int
    for_level: int | None
    to_next: int | None
    progress: float


def levels(numbers: GameNumbers = DEFAULTS) -> tuple[Level, ...]:
    """All levels, lowest first. Thresholds beyond the names continue the last name."""
    named = [*_LEVEL_NAMES, *[_LEVEL_NAMES[-1]] * len(numbers.level_thresholds)]
    return tuple(
        Level(number, *named[number - 1], threshold)
        for number, threshold in enumerate(numbers.level_thresholds, start=1)
    )


def level_of(xp: int, numbers: GameNumbers = DEFAULTS) -> int:
    """The number of the level that this much XP has reached: a threshold belongs to the level it opens."""
    return sum(1 for threshold in numbers.level_thresholds if xp >= threshold) or 1


def standing(xp: int, numbers: GameNumbers = DEFAULTS) -> Standing:
    """The level of this much XP and how far it is to the next."""
    ladder = levels(numbers)
    level = ladder[level_of(xp, numbers) - 1]
    into = xp - level.threshold
    if level.number == len(ladder):
        return Standing(level, into, None, None, 1.0)
    width = ladder[level.number].threshold - level.threshold
    return Standing(level, into, width, width - into, into / width)


# --- daily goals ---


@dataclass(frozen=True, slots=True)
class Goal:
    """One of a day's three goals. `coins` is what reaching it pays."""

    slot: int
    kind: str
    target: int
    coins: int


def wanted_lessons(intensity: str, numbers: GameNumbers = DEFAULTS) -> int:
    """How many lessons must be unfinished at the day's start for goals that only new lessons can reach."""
    return _known(intensity, numbers)["lessons"]


def goals_for(
    user_id: int, day: date, intensity: str, unfinished: int, numbers: GameNumbers = DEFAULTS
) -> tuple[Goal, ...]:
    """The three goals of a learner's day: the same whenever and wherever it is asked.

    `intensity` and `unfinished` (lessons that the learner has not finished) are the facts at the day's start. Three
    different kinds out of lessons, xp, minutes and first_try, one of the four resting each day by a hash of learner
    and date. XP and first tries come only from new lessons: with too few left, the kinds are lessons, minutes and
    right (right answers of any lesson), so that every goal can be reached.
    """
    targets = _known(intensity, numbers)
    kinds = ["lessons", "xp", "minutes", "first_try"]
    if unfinished < targets["lessons"]:
        kinds = ["lessons", "minutes", "right"]
    else:
        digest = hashlib.sha256(f"goals:{user_id}:{day.isoformat()}".encode()).digest()
        del kinds[digest[0] % len(kinds)]
    coins = numbers.goal_coins.get(intensity, numbers.goal_coins[DEFAULT_INTENSITY])
    return tuple(Goal(slot, kind, targets[kind], coins) for slot, kind in enumerate(kinds, start=1))


def _known(intensity: str, numbers: GameNumbers) -> Mapping[str, int]:
    return numbers.goal_targets.get(intensity, numbers.goal_targets[DEFAULT_INTENSITY])


def goal_progress(
    *, distinct_lessons: int, xp: int, seconds: int, first_try: int, correct: int
) -> dict[str, int]:
    """How far a day has come, by kind of goal: different lessons, lesson XP, whole minutes, first tries, right answers."""
    return {
        "lessons": distinct_lessons,
        "xp": xp,
        "minutes": seconds // 60,
        "first_try": first_try,
        "right": correct,
    }


# --- the streak ---


@dataclass(frozen=True, slots=True)
class Streak:
    """`current` days in a row as of today, `best` ever; `run` is the last run, alive or not, and `last` its last day."""

    current: int
    best: int
    run: int
    last: date | None


def bridged(earlier: date, later: date, bridged_days: Container[date]) -> bool:
    """Whether a streak holds from one active day to a later one: every date between them bridges."""
    day = earlier + ONE_DAY
    while day < later:
        if day not in bridged_days:
            return False
        day += ONE_DAY
    return True


def extended(run: int, last: date | None, day: date, bridged_days: Container[date]) -> int:
    """The length of the run once `day` is active too, for a learner whose run of `run` days ended on `last`."""
    if last is None:
        return 1
    if day <= last:
        return run
    return run + 1 if bridged(last, day, bridged_days) else 1


def streak(active_days: Iterable[date], bridged_days: Container[date], today: date) -> Streak:
    """The streak by its facts: days on which a lesson was finished, and dates that bridge.

    Days that bridge do not count. Today need not be active yet: until it ends the streak of yesterday is alive. A
    broken one is 0, its best stays. Days after `today` are not expected but taken as they are.
    """
    run, best, last = 0, 0, None
    for day in sorted(set(active_days)):
        run = extended(run, last, day, bridged_days)
        best = max(best, run)
        last = day
    return Streak(current_streak(run, last, today, bridged_days), best, run, last)


def current_streak(run: int, last: date | None, today: date, bridged_days: Container[date]) -> int:
    """What a run that ended on `last` is worth today: all of it while it can still go on, else 0."""
    return run if last is not None and bridged(last, today, bridged_days) else 0
