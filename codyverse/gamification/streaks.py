"""The streak: days in a row, freezes, repairs, weeks. Pure functions of the facts about a learner's days (DESIGN §2).

The facts are the dates on which a lesson was finished, those on which a freeze was bought, the missed dates that were
repaired, and the dates that bridge. Nothing that has happened to a streak is stored as a truth of its own: what a
player's row keeps is what `replay` makes of the facts.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from codyverse.gamification.rules import DEFAULTS, ONE_DAY, GameNumbers

ONE_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class StreakFacts:
    """Dates on which a lesson was finished; on which freezes were bought; missed ones repaired; those that bridge."""

    active: Iterable[date] = ()
    bought: Iterable[date] = ()
    repaired: Container[date] = frozenset()
    bridged: Container[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Streak:
    """A streak after some of its facts.

    `run` days in a row that end on `last`, `best` ever, `days` learned in all; `freezes` held, `towards` the next one
    so many days. `kept` is the latest missed day that a freeze or a repair kept.
    """

    run: int = 0
    best: int = 0
    last: date | None = None
    days: int = 0
    freezes: int = 0
    towards: int = 0
    kept: date | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """A streak and what befell it: missed days that a freeze took, that a repair mended, that ended a run."""

    streak: Streak
    frozen: tuple[date, ...]
    mended: tuple[date, ...]
    breaks: tuple[date, ...]


def counted(streak: Streak, day: date, numbers: GameNumbers = DEFAULTS) -> Streak:
    """The streak once a lesson is finished on `day`, when every missed day before it has been dealt with.

    Every seventh studied day brings a freeze; with both places taken it waits for one.
    """
    if streak.last is not None and day <= streak.last:
        return streak
    run, towards, freezes = streak.run + 1, streak.towards + 1, streak.freezes
    if towards >= numbers.days_per_freeze and freezes < numbers.most_freezes:
        towards, freezes = 0, freezes + 1
    return Streak(run, max(run, streak.best), day, streak.days + 1, freezes, towards, streak.kept)


class _Walk:
    """Goes through the facts day by day. `seen` is the last date that is over."""

    def __init__(self, facts: StreakFacts, numbers: GameNumbers) -> None:
        self.facts, self.numbers = facts, numbers
        self.streak = Streak()
        self.seen = date.min
        self.frozen: list[date] = []
        self.mended: list[date] = []
        self.breaks: list[date] = []

    def until(self, day: date) -> None:
        """Let every date before `day` be over. Without a run there is nothing to lose, and nothing is used up."""
        while self.streak.run and self.seen + ONE_DAY < day:
            self.seen += ONE_DAY
            self._missed(self.seen)
        self.seen = max(self.seen, day - ONE_DAY)

    def _missed(self, day: date) -> None:
        if day in self.facts.repaired:
            self.mended.append(day)
            self.streak = replace(self.streak, kept=day)
        elif day in self.facts.bridged:
            return
        elif self.streak.freezes:
            self.frozen.append(day)
            self.streak = replace(self.streak, freezes=self.streak.freezes - 1, kept=day)
        else:
            self.breaks.append(day)
            self.streak = replace(self.streak, run=0)

    def buy(self, day: date) -> None:
        self.until(day)
        self.streak = replace(self.streak, freezes=self.streak.freezes + 1)

    def study(self, day: date) -> None:
        self.until(day)
        self.streak = counted(self.streak, day, self.numbers)
        self.seen = day

    def course(self) -> Course:
        return Course(self.streak, tuple(self.frozen), tuple(self.mended), tuple(self.breaks))


def replay(facts: StreakFacts, today: date | None = None, numbers: GameNumbers = DEFAULTS) -> Course:
    """The streak by its facts, as it stands after the last of them; with `today`, as it stands then.

    Until a day ends the streak of the day before is alive. A missed day that does not bridge takes the oldest freeze,
    if one was held when it ended; it bridges and does not count. Without one it ends the run, unless a repair mends
    it. Any order of the facts gives the same.
    """
    walk = _Walk(facts, numbers)
    happened = [(day, 0) for day in facts.bought] + [(day, 1) for day in set(facts.active)]
    for day, studied in sorted(happened):
        (walk.study if studied else walk.buy)(day)
    if today is not None:
        walk.until(today)
    return walk.course()


def to_mend(
    course: Course, at: datetime, ends: Callable[[date], datetime], numbers: GameNumbers = DEFAULTS
) -> date | None:
    """The missed day that a second finished lesson can mend at the moment `at`: the oldest in its time.

    Only a day that ended a run can be mended, within 48 hours of its end; `ends` gives the moment at which a day ended.
    """
    time = timedelta(hours=numbers.repair_hours)
    found = None
    for day in reversed(course.breaks):
        if at > ends(day) + time:
            break
        found = day
    return found


# --- weeks ---


@dataclass(frozen=True, slots=True)
class Weeks:
    """The streak in weeks: `current` in a row as of today, `best` ever, and the studied days of this week."""

    current: int
    best: int
    this_week: int


def weekly(
    active: Iterable[date], bridged: Container[date], today: date, numbers: GameNumbers = DEFAULTS
) -> Weeks:
    """Weeks in a row, from Monday on, with four studied days each.

    This week need not be reached yet: until it ends the streak is alive. A week that a journey left with fewer than
    four days bridges and does not count. Freezes and repairs belong to the streak in days; a week has three days to spare.
    """
    wanted = numbers.days_per_week
    studied = Counter(_monday(day) for day in set(active))
    this_monday = _monday(today)
    run, best = 0, 0
    week = min(studied, default=this_monday)
    while week <= this_monday:
        if studied[week] >= wanted:
            run += 1
        elif week < this_monday and run and _whole_days(week, bridged) >= wanted:
            run = 0
        best = max(best, run)
        week += ONE_WEEK
    return Weeks(run, best, studied[this_monday])


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _whole_days(monday: date, bridged: Container[date]) -> int:
    return sum(monday + timedelta(days=n) not in bridged for n in range(7))
