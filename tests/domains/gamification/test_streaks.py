"""The streak as tables: what a learner did by the clock on their wall, and what the streak says of it."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codyverse.accounts.rules import Reckoning, ShortDays, game_date, owed_until, stamped_date
from codyverse.gamification.rules import DEFAULTS, GameNumbers
from codyverse.gamification.streaks import Streak, StreakFacts, counted, replay, to_mend, weekly

MONDAY = date(2026, 6, 1)


class Life:
    """A learner's days told line by line, with the clock on the wall where they are.

    `lesson` finishes one, `freeze` buys one, `zone NAME HOUR` moves (told by the clock of the old place). `= 3` says
    what the streak is then, `*` how many freezes are held, `mend 06-02` which missed day a second lesson would repair.
    """

    def __init__(self, zone: str = "UTC", hour: int = 4) -> None:
        self.facts = [Reckoning(datetime(2000, 1, 1, tzinfo=UTC), zone, hour)]
        self.last: date | None = None
        self.owed: datetime | None = None
        self.lessons: Counter[date] = Counter()
        self.bought: list[date] = []
        self.repaired: dict[date, date] = {}

    @property
    def here(self) -> Reckoning:
        return self.facts[-1]

    def known(self) -> StreakFacts:
        return StreakFacts(list(self.lessons), self.bought, frozenset(self.repaired), ShortDays(self.facts))

    def stamp(self, at: datetime) -> date:
        today = self.today(at)
        if today != self.last:
            self.last, self.owed = today, owed_until(today, *self.here.place)
        return today

    def today(self, at: datetime) -> date:
        return stamped_date(at, *self.here.place, self.last, self.owed)

    def lesson(self, at: datetime) -> None:
        day = self.stamp(at)
        self.lessons[day] += 1
        if self.lessons[day] == DEFAULTS.repair_lessons and day not in self.repaired.values():
            missed = self.mend(at)
            if missed is not None:
                self.repaired[missed] = day

    def mend(self, at: datetime) -> date | None:
        return to_mend(replay(self.known(), self.today(at)), at, ShortDays(self.facts).ends)

    def seen(self, at: datetime) -> Streak:
        return replay(self.known(), self.today(at)).streak

    def tell(self, told: str) -> None:
        for line in filter(None, map(str.strip, told.splitlines())):
            when, _, what = line[:16], line[16], line[17:].strip()
            at = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(self.here.time_zone)).astimezone(UTC)
            word, _, rest = what.partition(" ")
            if word == "lesson":
                self.lesson(at)
            elif word == "freeze":
                self.bought.append(self.stamp(at))
            elif word == "zone":
                self.stamp(at)
                name, hour = rest.split()
                self.facts.append(Reckoning(at, name, int(hour)))
            elif word == "mend":
                assert (str(self.mend(at) or ""))[5:] == rest, f"{line}: {self.mend(at)}"
            else:
                assert word == "=", line
                found = self.seen(at)
                assert (found.run, found.freezes) == (int(rest.split()[0]), rest.count("*")), (
                    f"{line}: {found}"
                )


@pytest.mark.parametrize(
    ("zone", "hour", "told"),
    [
        pytest.param(
            *("Europe/Berlin", 4),
            """
            2026-03-27 20:00 lesson
            2026-03-28 23:59 lesson
            2026-03-29 03:30 lesson
            2026-03-29 03:45 = 2
            2026-03-29 04:00 lesson
            2026-03-30 03:59 = 3
            2026-03-30 04:00 lesson
            2026-03-30 04:01 = 4
            """,
            id="summer time begins: the day of 23 hours is a day like any other",
        ),
        pytest.param(
            *("Europe/Berlin", 2),
            """
            2026-03-28 12:00 lesson
            2026-03-29 01:59 lesson
            2026-03-29 03:00 lesson
            2026-03-29 03:01 = 2
            2026-03-30 01:59 lesson
            2026-03-31 01:59 = 2
            2026-03-31 02:00 = 0
            """,
            id="summer time begins at the very hour at which the day does",
        ),
        pytest.param(
            *("Europe/Berlin", 4),
            """
            2026-10-24 20:00 lesson
            2026-10-25 01:30 lesson
            2026-10-25 03:59 = 1
            2026-10-25 23:59 lesson
            2026-10-26 03:59 lesson
            2026-10-26 04:00 lesson
            2026-10-26 04:01 = 3
            """,
            id="summer time ends: the day of 25 hours gives no second one",
        ),
        pytest.param(
            *("America/Los_Angeles", 4),
            """
            2026-06-01 20:00 lesson
            2026-06-02 22:00 zone Australia/Sydney 4
            2026-06-04 09:00 = 1
            2026-06-04 09:30 lesson
            2026-06-04 09:31 = 2
            """,
            id="over the date line to the west: the date that the flight swallowed bridges",
        ),
        pytest.param(
            *("Australia/Sydney", 4),
            """
            2026-06-02 09:00 lesson
            2026-06-02 11:00 zone America/Los_Angeles 4
            2026-06-01 20:00 lesson
            2026-06-01 20:01 = 1
            2026-06-02 20:00 lesson
            2026-06-02 20:01 = 1
            2026-06-03 20:00 lesson
            2026-06-03 20:01 = 2
            """,
            id="over the date line to the east: the date that comes twice counts once",
        ),
        pytest.param(
            *("UTC", 0),
            """
            2026-06-01 12:00 lesson
            2026-06-01 23:30 zone Europe/Berlin 0
            2026-06-02 01:40 = 1
            2026-06-03 09:00 = 1
            2026-06-03 09:01 lesson
            2026-06-03 09:02 = 2
            2026-06-05 09:00 = 0
            """,
            id="a move at 23:30 leaves 22 hours of the next day, which bridges; the one after does not",
        ),
        pytest.param(
            *("Europe/Berlin", 0),
            """
            2026-06-01 12:00 lesson
            2026-06-02 23:30 zone UTC 0
            2026-06-02 23:00 lesson
            2026-06-02 23:01 = 2
            2026-06-03 22:00 lesson
            2026-06-03 22:01 = 3
            """,
            id="a move at 23:30 the other way gives two hours more of the same day",
        ),
        pytest.param(
            *("UTC", 4),
            """
            2028-02-28 12:00 lesson
            2028-02-29 12:00 lesson
            2028-03-01 12:00 lesson
            2028-03-01 12:01 = 3
            """,
            id="a leap day is a day",
        ),
        pytest.param(
            *("UTC", 4),
            """
            2028-02-28 12:00 lesson
            2028-03-01 12:00 = 0
            2028-03-01 12:01 lesson
            2028-03-01 12:02 = 1
            """,
            id="a leap day that is missed breaks",
        ),
        pytest.param(
            *("UTC", 4),
            """
            2026-02-28 12:00 lesson
            2026-03-01 12:00 lesson
            2026-03-01 12:01 = 2
            """,
            id="in other years February ends with the 28th",
        ),
        pytest.param(
            *("UTC", 4),
            """
            2026-06-01 23:00 lesson
            2026-06-02 03:59 lesson
            2026-06-02 04:00 = 1
            2026-06-03 03:59 lesson
            2026-06-03 04:00 = 2
            2026-06-04 03:59 = 2
            2026-06-04 04:00 = 0
            """,
            id="own start of day: until four in the morning it is the day before",
        ),
        pytest.param(
            *("UTC", 12),
            """
            2026-06-01 13:00 lesson
            2026-06-02 13:00 lesson
            2026-06-03 06:00 zone UTC 4
            2026-06-03 06:01 = 2
            2026-06-04 12:00 = 2
            2026-06-04 12:01 lesson
            2026-06-04 12:02 = 3
            """,
            id="an earlier start of day shortens the days it divides, and they bridge",
        ),
        pytest.param(
            *("Pacific/Apia", 4),
            """
            2011-12-29 12:00 lesson
            2011-12-31 03:00 lesson
            2011-12-31 03:01 = 1
            2011-12-31 05:00 lesson
            2011-12-31 05:01 = 2
            """,
            id="a date that a country left out",
        ),
    ],
)
def test_days_in_a_row(zone: str, hour: int, told: str) -> None:
    Life(zone, hour).tell(told)


WEEK = "\n".join(f"2026-06-{day:02} 12:00 lesson" for day in range(1, 8))


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(
            f"""
            {WEEK}
            2026-06-07 12:01 = 7 *
            2026-06-09 12:00 = 7
            2026-06-09 12:01 lesson
            2026-06-09 12:02 = 8
            """,
            id="seven days bring a freeze; it takes the missed day by itself, which does not count",
        ),
        pytest.param(
            f"""
            {WEEK}
            2026-06-10 12:00 = 0
            2026-06-10 12:01 mend 06-09
            """,
            id="the oldest missed day takes it, the second one breaks",
        ),
        pytest.param(
            """
            2026-06-01 12:00 lesson
            2026-06-01 13:00 freeze
            2026-06-01 14:00 freeze
            2026-06-01 15:00 = 1 **
            2026-06-04 12:00 = 1
            2026-06-04 12:01 lesson
            2026-06-04 12:02 = 2
            """,
            id="two bought ones guard two days",
        ),
        pytest.param(
            """
            2026-06-01 12:00 lesson
            2026-06-03 09:00 freeze
            2026-06-03 12:00 = 0 *
            2026-06-03 12:01 lesson
            2026-06-03 12:02 = 1 *
            """,
            id="a freeze guards from the day on which it is bought, never what was missed before",
        ),
        pytest.param(
            """
            2026-06-01 12:00 lesson
            2026-06-02 12:00 freeze
            2026-06-03 12:00 = 1
            """,
            id="bought on a day without a lesson, it guards that day",
        ),
        pytest.param(
            """
            2026-06-01 12:00 freeze
            2026-06-08 12:00 = 0 *
            """,
            id="without a streak nothing is used up",
        ),
        pytest.param(
            f"""
            2026-05-31 12:00 lesson
            2026-05-31 13:00 freeze
            2026-05-31 13:01 freeze
            {WEEK}
            2026-06-07 12:01 = 8 **
            2026-06-09 12:00 = 8 *
            2026-06-09 12:01 lesson
            2026-06-09 12:02 = 9 **
            """,
            id="with both places taken the earned one waits",
        ),
        pytest.param(
            """
            2026-06-01 12:00 lesson
            2026-06-03 12:00 = 0
            2026-06-03 12:01 lesson
            2026-06-03 12:02 = 1
            2026-06-03 12:03 mend 06-02
            2026-06-03 12:04 lesson
            2026-06-03 12:05 = 2
            2026-06-04 12:00 lesson
            2026-06-04 12:01 = 3
            """,
            id="a second lesson repairs a missed day; it bridges and does not count",
        ),
        pytest.param(
            """
            2026-06-01 12:00 lesson
            2026-06-04 12:00 lesson
            2026-06-04 12:01 lesson
            2026-06-04 12:02 = 1
            """,
            id="two missed days: the older one is over its time",
        ),
        pytest.param(
            """
            2026-06-01 12:00 lesson
            2026-06-04 12:00 mend 06-02
            2026-06-05 03:59 mend 06-02
            2026-06-05 04:00 mend 06-02
            2026-06-05 04:01 mend
            """,
            id="48 hours from the end of the missed day",
        ),
        pytest.param(
            """
            2026-06-01 12:00 lesson
            2026-06-04 12:00 lesson
            2026-06-04 12:01 lesson
            2026-06-04 12:02 = 1
            2026-06-05 09:00 lesson
            2026-06-05 09:01 lesson
            2026-06-05 09:02 = 3
            """,
            id="two missed days, repaired on two days, one each",
        ),
        pytest.param(
            """
            2026-06-01 12:00 lesson
            2026-06-04 12:00 lesson
            2026-06-04 12:01 lesson
            2026-06-04 12:02 lesson
            2026-06-04 12:03 lesson
            2026-06-04 12:04 = 1
            """,
            id="one day repairs one day, however many lessons",
        ),
        pytest.param(
            """
            2026-06-01 12:00 lesson
            2026-06-03 08:00 freeze
            2026-06-04 12:00 lesson
            2026-06-04 12:01 = 1 *
            2026-06-04 12:02 lesson
            2026-06-04 12:03 = 2
            """,
            id="what a repair makes whole again was guarded by a freeze after it",
        ),
    ],
)
def test_freezes_and_repairs(told: str) -> None:
    Life().tell(told)


def week(*studied: int) -> list[date]:
    """Dates by their number, Monday of the first week being 0."""
    return [MONDAY + timedelta(days=n) for n in studied]


@pytest.mark.parametrize(
    ("studied", "bridged", "today", "current", "best", "this_week"),
    [
        ([], [], 3, 0, 0, 0),
        ([0, 1, 2], [], 3, 0, 0, 3),
        ([0, 1, 2, 3], [], 3, 1, 1, 4),
        ([0, 1, 2, 3], [], 7, 1, 1, 0),
        ([0, 1, 2, 3], [], 13, 1, 1, 0),
        ([0, 1, 2, 3], [], 14, 0, 1, 0),
        ([3, 4, 5, 6, 7, 8, 9, 10], [], 10, 2, 2, 4),
        ([0, 1, 2, 3, 4, 5, 6], [], 6, 1, 1, 7),
        ([0, 2, 4, 6, 8, 10, 12, 13, 15, 17, 19], [], 20, 2, 2, 3),
        ([0, 2, 4, 6, 8, 10, 12, 13, 15, 17, 19], [], 21, 0, 2, 0),
        ([0, 1, 2, 3, 14, 15, 16, 17], [], 17, 1, 1, 4),
        ([0, 1, 2, 3, 14, 15, 16, 17], [7, 8, 9, 10], 17, 2, 2, 4),
        ([0, 1, 2, 3, 14, 15, 16, 17], [7, 8, 9], 17, 1, 1, 4),
        ([0, 0, 1, 1, 2, 2], [], 7, 0, 0, 0),
    ],
)
def test_weeks_in_a_row(
    *, studied: list[int], bridged: list[int], today: int, current: int, best: int, this_week: int
) -> None:
    found = weekly(week(*studied), frozenset(week(*bridged)), week(today)[0])
    assert (found.current, found.best, found.this_week) == (current, best, this_week)


def test_studying_from_monday_to_friday_and_then_on_saturday_is_six_days() -> None:
    assert replay(StreakFacts(week(0, 1, 2, 3, 4, 5)), week(5)[0]).streak.run == 6


# --- what holds for any history ---

dates = st.integers(0, 80).map(lambda n: MONDAY + timedelta(days=n))
facts = st.builds(
    StreakFacts,
    active=st.lists(dates, max_size=60),
    bought=st.lists(dates, max_size=4),
    repaired=st.frozensets(dates, max_size=6),
    bridged=st.frozensets(dates, max_size=10),
)


@given(facts, st.randoms())
def test_the_streak_is_a_pure_function_of_its_facts(known: StreakFacts, dice) -> None:
    mixed = list(known.active)
    dice.shuffle(mixed)
    again = StreakFacts(mixed, reversed(list(known.bought)), known.repaired, known.bridged)
    assert replay(known) == replay(again)


@given(facts)
def test_nothing_is_negative_and_every_freeze_is_accounted_for(known: StreakFacts) -> None:
    course = replay(known)
    found = course.streak
    days = len(set(known.active))
    earned = found.freezes + len(course.frozen) - len(list(known.bought))
    assert 0 <= found.run <= found.best <= days == found.days
    assert found.freezes >= 0
    assert 0 <= earned <= days // DEFAULTS.days_per_freeze
    assert not set(course.frozen) & set(known.active)
    assert set(course.mended) <= set(known.repaired) - set(known.active)


@given(st.lists(dates, max_size=60, unique=True), st.frozensets(dates, max_size=10), st.integers(1, 60))
def test_going_on_from_what_is_kept_is_the_same_as_replaying(
    active: list[date], bridged: frozenset[date], cut: int
) -> None:
    active.sort()
    streak = Streak()
    for number, day in enumerate(active):
        if streak.last is not None and streak.last + timedelta(days=1) < day:
            streak = replay(StreakFacts(active[: number + 1], bridged=bridged)).streak
        else:
            streak = counted(streak, day)
        assert streak == replay(StreakFacts(active[: number + 1], bridged=bridged)).streak


@given(facts, st.frozensets(dates, max_size=10))
def test_days_that_bridge_never_harm(known: StreakFacts, more: frozenset[date]) -> None:
    """Without freezes, that is: with them a run that bridges lives on to use one that a later run would have needed."""
    no_freezes = GameNumbers(days_per_freeze=1000)
    poorer = replace(known, bought=())
    richer = replace(poorer, bridged=frozenset(known.bridged) | more)
    today = MONDAY + timedelta(days=81)
    fewer, longer = (replay(each, today, no_freezes).streak for each in (poorer, richer))
    assert longer.best >= fewer.best
    assert longer.run >= fewer.run


@given(facts)
def test_looking_changes_nothing_that_comes_later(known: StreakFacts) -> None:
    """The streak of a day is the same whether it is looked at then or told from everything that happened since."""
    day = MONDAY + timedelta(days=40)
    until = StreakFacts(
        [each for each in known.active if each < day],
        [each for each in known.bought if each < day],
        known.repaired,
        known.bridged,
    )
    then = replay(until, day)
    later = replay(known, MONDAY + timedelta(days=81))
    assert then.frozen == tuple(each for each in later.frozen if each < day)
    assert then.breaks == tuple(each for each in later.breaks if each < day)


def test_a_day_that_counts_already_adds_nothing() -> None:
    streak = Streak(3, 3, MONDAY, 3, 0, 3)
    assert counted(streak, MONDAY) == counted(streak, MONDAY - timedelta(days=1)) == streak


def test_the_day_of_a_lesson_is_the_calendars() -> None:
    assert game_date(datetime(2026, 6, 2, 3, 59, tzinfo=UTC), "UTC", 4) == MONDAY
