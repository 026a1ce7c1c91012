"""The rules of the game: XP, coins, levels, daily goals. Pure functions; every number of the game stands here.

Fractions are exact, so that each award is rounded once and nowhere else. The source of all of them is DESIGN §2. The
streak has a module of its own, `streaks.py`.
"""

import hashlib
import math
from collections.abc import Container, Mapping
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
            "casual": _fixed(lessons=1, xp=30, minutes=5, first_try=4, right=5, mended=1),
            "regular": _fixed(lessons=2, xp=60, minutes=10, first_try=8, right=10, mended=1),
            "serious": _fixed(lessons=3, xp=100, minutes=20, first_try=14, right=18, mended=2),
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
    weak_below: int = 80
    days_per_freeze: int = 7
    most_freezes: int = 2
    repair_lessons: int = 2
    repair_hours: int = 48
    days_per_week: int = 4


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
    return _award(numbers.base_xp[difficulty], seconds, numbers.xp_per_minute, score, numbers.xp_per_point)


def lesson_coins(difficulty: str, seconds: int, score: Fraction, numbers: GameNumbers = DEFAULTS) -> int:
    """Coins for a lesson's first completion: base + minutes × 0.1 + score × 0.05, rounded half up once."""
    return _award(
        numbers.base_coins[difficulty], seconds, numbers.coins_per_minute, score, numbers.coins_per_point
    )


def _award(base: int, seconds: int, per_minute: Decimal, score: Fraction, per_point: Decimal) -> int:
    """base + minutes × per_minute + score × per_point, rounded half up; exact, in whole numbers over one denominator."""
    a_minute, minutes = per_minute.as_integer_ratio()
    a_point, points = per_point.as_integer_ratio()
    minutes, points = 60 * minutes, score.denominator * points
    over = minutes * points
    exact = base * over + seconds * a_minute * points + score.numerator * a_point * minutes
    return (2 * exact + over) // (2 * over)


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
    if not _ladder or _ladder[0][0] is not numbers:
        _ladder[:] = [(numbers, _levels(numbers))]
    return _ladder[0][1]


_ladder: list[tuple[GameNumbers, tuple[Level, ...]]] = []


def _levels(numbers: GameNumbers) -> tuple[Level, ...]:
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


DAYS_BETWEEN_MENDING = 3
"""A lesson to do better is among the goals on one day of so many, however long it stays weak."""


def wanted_lessons(intensity: str, numbers: GameNumbers = DEFAULTS) -> int:
    """How many lessons must be unfinished at the day's start for goals that only new lessons can reach.

    No goal asks for more weak lessons than for new ones.
    """
    return _known(intensity, numbers)["lessons"]


def goals_for(
    user_id: int,
    day: date,
    intensity: str,
    unfinished: int,
    numbers: GameNumbers = DEFAULTS,
    *,
    weak: int = 0,
    hidden: Container[str] = frozenset(),
) -> tuple[Goal, ...]:
    """The three goals of a learner's day: the same whenever and wherever it is asked.

    Chosen from what is due, by the facts at the day's start: the `intensity`, how many lessons are `unfinished`, and how
    many finished ones are `weak` (best score below 80). Somebody with weak lessons is asked to do one better first of
    all on every third day: on the days between what is new shall come first. The other goals are of different kinds out of lessons, xp, minutes and first_try; which of them rest changes
    by a hash of learner and date. XP and first tries come only from new lessons: with too few left, the kinds are
    lessons, minutes and right (right answers of any lesson), so that every goal can be reached. With XP among the
    `hidden` mechanics no goal is about XP.
    """
    targets = _known(intensity, numbers)
    kinds = [kind for kind in ("lessons", "xp", "minutes", "first_try") if kind not in hidden]
    if unfinished < targets["lessons"]:
        kinds = ["lessons", "minutes", "right"]
    turn = (day.toordinal() + user_id) % DAYS_BETWEEN_MENDING == 0
    due = ["mended"] if turn and weak >= targets["mended"] else []
    digest = hashlib.sha256(f"goals:{user_id}:{day.isoformat()}".encode()).digest()
    for number in range(len(due) + len(kinds) - GOAL_SLOTS):
        del kinds[digest[number] % len(kinds)]
    coins = numbers.goal_coins.get(intensity, numbers.goal_coins[DEFAULT_INTENSITY])
    return tuple(Goal(slot, kind, targets[kind], coins) for slot, kind in enumerate(due + kinds, start=1))


def _known(intensity: str, numbers: GameNumbers) -> Mapping[str, int]:
    return numbers.goal_targets.get(intensity, numbers.goal_targets[DEFAULT_INTENSITY])


def goal_progress(
    *, distinct_lessons: int, xp: int, seconds: int, first_try: int, correct: int, mended: int = 0
) -> dict[str, int]:
    """How far a day has come, by kind of goal.

    Different lessons, lesson XP, whole minutes, first tries, right answers, lessons done better than before.
    """
    return {
        "lessons": distinct_lessons,
        "xp": xp,
        "minutes": seconds // 60,
        "first_try": first_try,
        "right": correct,
        "mended": mended,
    }
