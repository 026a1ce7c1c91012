"""What study brings somebody, reckoned in memory by the rules of the game, in the order of effects.

It is what `wiring.py` lets happen in the database, fact by fact; a test lives the same lives in both ways and compares
all rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from codyverse.accounts.rules import Reckoning, ShortDays
from codyverse.gamification import rules, streaks
from codyverse.gamification.badge_catalogue import Badge, Count
from codyverse.gamification.rules import ONE_DAY, GameNumbers, Goal
from codyverse.gamification.settlement import Entry
from codyverse.gamification.streak_care import broke_lately
from codyverse.gamification.streaks import Course, Streak, StreakFacts
from codyverse.progress.rules import stored_score
from codyverse.stories.day import Finished, Standing, Today
from codyverse.stories.library import Library
from codyverse.stories.rows import Sheets


@lru_cache(maxsize=4096)
def _first_time(difficulty: str, seconds: int, score: Fraction, numbers: "Numbers") -> tuple[int, int]:
    return (
        rules.lesson_xp(difficulty, seconds, score, numbers.all),
        rules.lesson_coins(difficulty, seconds, score, numbers.all),
    )


@dataclass(frozen=True, eq=False)
class Numbers:
    """The numbers of the game, as a key of a cache."""

    all: GameNumbers


@dataclass(slots=True)
class Moment:
    """Where something happens: the learner's day, the moment, the attempt."""

    day: Today
    at: datetime
    attempt_id: int


@dataclass(frozen=True, slots=True)
class News:
    """A notification before it is written."""

    kind: str
    source: str
    details: dict[str, Any]
    at: datetime


class Game:
    """A player in memory. `sheets` gets what is written at once; `close` writes what is known at the end."""

    def __init__(
        self, user_id: int, library: Library, numbers: Numbers, zone: Reckoning, sheets: Sheets
    ) -> None:
        self.user_id, self.library, self.cached, self.sheets = user_id, library, numbers, sheets
        self.numbers = numbers.all
        self.calendar = ShortDays([zone])
        self.sums = {"xp": 0, "coins": 0, "gems": 0}
        self.level, self.streak = 1, Streak()
        self.open = [(badge, _counter(badge.count)) for badge in library.badges]
        self.earned: int = 0
        self.active: list[date] = []
        self.repaired: set[date] = set()
        self.standings: dict[int, Standing] = {}
        self.finished_of_course: dict[int, int] = {}
        self.courses: int = 0
        self.again: int = 0
        self.weekends: int = 0
        self.full_days: int = 0
        self.seconds: int = 0
        self.first_tries: int = 0
        self.gaps: list[int] = []
        self.unread: list[News] = []

    # --- the effects, in their order ---

    def studied(self, moment: Moment) -> None:
        """Something was read or answered: goals, and if one was reached, badges and levels."""
        if self._goals(moment):
            self._badges_and_levels(moment, earned_xp=False)

    def finished(self, moment: Moment, fact: Finished) -> None:
        """A lesson was finished: its reward, the streak, goals, badges, levels."""
        earned = self._again(moment, fact, fact.best) if fact.best is not None else self._lesson(moment, fact)
        self._streak(moment)
        self._goals(moment)
        self._badges_and_levels(moment, earned_xp=earned)

    def _lesson(self, moment: Moment, fact: Finished) -> bool:
        """The reward of a first time; whether it was XP."""
        numbers, source = self.numbers, f"lesson:{fact.lesson_id}"
        xp, coins = _first_time(fact.difficulty, fact.seconds, fact.score, self.cached)
        details = _about(fact) | {"seconds": fact.seconds}
        of_xp = _terms(numbers.base_xp[fact.difficulty], numbers.xp_per_minute, numbers.xp_per_point)
        of_coins = _terms(
            numbers.base_coins[fact.difficulty], numbers.coins_per_minute, numbers.coins_per_point
        )
        self._pay(moment, Entry("xp", xp, "lesson", source, details | of_xp))
        self._pay(moment, Entry("coins", coins, "lesson", source, details | of_coins))
        moment.day.xp += xp
        return xp > 0

    def _again(self, moment: Moment, fact: Finished, best: Decimal) -> bool:
        """The reward of a better score; whether there was one."""
        amount = rules.improvement_xp(fact.score, Fraction(best), self.numbers)
        details = _about(fact) | {"best": str(best), "per_point": str(self.numbers.xp_per_point)}
        self._pay(moment, Entry("xp", amount, "lesson_again", f"attempt:{moment.attempt_id}", details))
        moment.day.xp += amount
        moment.day.mended += amount > 0
        return amount > 0

    def _streak(self, moment: Moment) -> None:
        before, day = self.streak, moment.day
        if before.last is None or before.last < day.date:
            if before.last is not None and before.last + ONE_DAY < day.date:
                self.streak = self._course().streak
            else:
                self.streak = streaks.counted(before, day.date, self.numbers)
        elif day.lessons == self.numbers.repair_lessons and broke_lately(before.run, before.days):
            missed = streaks.to_mend(self._course(), moment.at, self.calendar.ends, self.numbers)
            if missed is not None:
                self.repaired.add(missed)
                self.sheets.put(
                    "streak_repairs", self.user_id, missed, day.date, moment.at, moment.attempt_id
                )
                self.streak = self._course().streak

    def _course(self) -> Course:
        facts = StreakFacts(self.active, (), self.repaired, self.calendar)
        return streaks.replay(facts, None, self.numbers)

    def _goals(self, moment: Moment) -> bool:
        day = moment.day
        hits = day.newly_reached(moment.at)
        whole = bool(hits) and len(day.reached) == len(day.goals)
        for number, goal in enumerate(hits, start=1):
            self._goal(moment, goal, last=whole and number == len(hits))
        if whole:
            self.full_days += 1
            self._pay(moment, Entry("gems", self.numbers.all_goals_gems, "all_goals", f"goals:{day.text}"))
        return bool(hits)

    def _goal(self, moment: Moment, goal: Goal, *, last: bool) -> None:
        source = f"goal:{moment.day.text}:{goal.slot}"
        details = {"slot": goal.slot, "kind": goal.kind, "target": goal.target}
        self._pay(moment, Entry("coins", goal.coins, "goal", source, details))
        said = {"goal": goal.kind, "target": goal.target, "coins": goal.coins, "all_reached": last}
        self.unread.append(News("goal", source, said, moment.at))

    def _badges_and_levels(self, moment: Moment, *, earned_xp: bool) -> None:
        moved = True
        while moved:
            due = [badge for badge, counted in self.open if counted(self, moment.day) >= badge.at_least]
            for badge in due:
                earned_xp = self._badge(moment, badge) or earned_xp
            if due:
                self.open = [each for each in self.open if each[0] not in due]
                self.earned += len(due)
            moved = (earned_xp and self._levels(moment)) or bool(due)

    def _badge(self, moment: Moment, badge: Badge) -> bool:
        source = f"badge:{badge.key}"
        details = {"badge": badge.key, "name": badge.name, "says": badge.says}
        self.sheets.put(
            "earned_badges", self.user_id, badge.key, moment.at, moment.day.date, moment.attempt_id
        )
        self._pay(moment, Entry("xp", badge.xp, "badge", source, details))
        self._pay(moment, Entry("coins", badge.coins, "badge", source, details))
        said = {
            "badge": badge.key,
            "name": badge.name,
            "rarity": badge.rarity,
            "xp": badge.xp,
            "coins": badge.coins,
        }
        self.unread.append(News("badge", source, said, moment.at))
        return badge.xp > 0

    def _levels(self, moment: Moment) -> bool:
        reached = rules.level_of(self.sums["xp"], self.numbers)
        passed = rules.levels(self.numbers)[self.level : reached]
        for level in passed:
            source = f"level:{level.number}"
            self._pay(moment, Entry("gems", level.number, "level", source, {"name": level.name}))
            said = {"level": level.number, "name": level.name, "gems": level.number}
            self.unread.append(News("level", source, said, moment.at))
        self.level = max(self.level, reached)
        return bool(passed)

    # --- rows ---

    def _pay(self, moment: Moment, entry: Entry) -> None:
        """Keep the entry, unless it is of nothing."""
        if entry.amount:
            self.sums[entry.currency] += entry.amount
            told = (entry.currency, entry.amount, entry.rule, entry.source, moment.day.date, moment.at)
            self.sheets.put("ledger_entries", self.user_id, *told, moment.attempt_id, entry.details)

    def came(self, at: datetime) -> None:
        """Whoever comes has read what happened the last time."""
        for news in self.unread:
            self._tell(news, at)
        self.unread.clear()

    def _tell(self, news: News, read_at: datetime | None) -> None:
        self.sheets.put("notifications", self.user_id, news.kind, news.source, news.details, news.at, read_at)

    def close(self) -> None:
        """Write the player, and the news that nobody has read."""
        for news in self.unread:
            self._tell(news, None)
        streak, sums = self.streak, self.sums
        self.sheets.put(
            "players",
            self.user_id,
            *(sums["xp"], sums["coins"], sums["gems"], self.level),
            *(streak.run, streak.best, streak.last, streak.days, streak.freezes, streak.towards, streak.kept),
        )


def _terms(base: int, per_minute: Decimal, per_point: Decimal) -> dict[str, Any]:
    return {"base": base, "per_minute": str(per_minute), "per_point": str(per_point)}


def _about(fact: Finished) -> dict[str, Any]:
    score = str(stored_score(fact.score))
    told: dict[str, Any] = {"lesson_id": fact.lesson_id, "title": fact.title, "score": score}
    return told | {"reported": True} if fact.reported else told


Counter = Callable[[Game, Today], int]
_PLAIN: dict[str, Counter] = {
    "lessons": lambda game, _: len(game.standings),
    "again": lambda game, _: game.again,
    "courses": lambda game, _: game.courses,
    "minutes": lambda game, _: game.seconds // 60,
    "first_tries": lambda game, _: game.first_tries,
    "weekends": lambda game, _: game.weekends,
    "full_days": lambda game, _: game.full_days,
    "days": lambda game, _: game.streak.days,
    "best_streak": lambda game, _: game.streak.best,
    "level": lambda game, _: game.level,
    "badges": lambda game, _: game.earned,
}


@lru_cache(maxsize=256)
def _counter(count: Count) -> Counter:
    """What counts this for a badge. Hints, third tries and leagues do not occur in stories."""
    where = dict(count.where)
    match count.fact:
        case "lessons" if where:
            least = where["score"]
            return lambda game, _: sum(standing.best >= least for standing in game.standings.values())
        case "new_lessons_in_a_day":
            least = where["score"]
            return lambda _, day: sum(score >= least for score in day.new_scores)
        case "returns":
            longest = where["days"]
            return lambda game, _: sum(gap > longest for gap in game.gaps)
    return _PLAIN.get(count.fact, lambda _, __: 0)
