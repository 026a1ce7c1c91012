"""The rules of the learner's calendar: which day it is for them, and which days a journey or a clock took away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from codyverse.core.zones import zone_named

ONE_DAY = timedelta(days=1)
OWED = timedelta(hours=23)


@dataclass(frozen=True, slots=True)
class Reckoning:
    """From `since` on the learner's days are reckoned in `time_zone` (IANA) and begin at `day_start_hour`."""

    since: datetime
    time_zone: str
    day_start_hour: int

    @property
    def place(self) -> tuple[str, int]:
        """Zone and start of day."""
        return self.time_zone, self.day_start_hour


def game_date(at: datetime, time_zone: str, day_start_hour: int) -> date:
    """The learner's local date at the moment `at`, the day beginning at their own hour (DESIGN §2, game day).

    Reckoned on the clock on the wall, so the day begins at that hour also on days that are an hour shorter or longer.
    Before that hour it is still the day before, which is the date before this one in that zone's own calendar: on
    31 December 2011 in Samoa, which left out the 30th, the small hours belong to the 29th.
    """
    zone = zone_named(time_zone)
    local = at.astimezone(zone)
    if local.hour >= day_start_hour:
        return local.date()
    before = local.date() - ONE_DAY
    while not _exists(before, zone):
        before -= ONE_DAY
    return before


def owed_until(day: date, time_zone: str, day_start_hour: int) -> datetime:
    """The moment at which a date that is reckoned like this has had the 23 hours that it owes its learner."""
    return _start_of(day, time_zone, day_start_hour) + OWED


def stamped_date(
    at: datetime, time_zone: str, day_start_hour: int, last: date | None, owed: datetime | None = None
) -> date:
    """The date to stamp on a fact that happens now: the game date, but never before `last`, the latest one stamped.

    After a flight to the west, or a clock set back at midnight, the day that was already reached goes on until the
    calendar has caught up with it. After a flight to the east it goes on until a date begins that leaves it what it
    owes its learner (`owed`, by `owed_until` when it was stamped): one real day is never two of the game's.
    """
    today = game_date(at, time_zone, day_start_hour)
    if last is None:
        return today
    begins = owed is None or _start_of(today, time_zone, day_start_hour) >= owed
    return today if today > last and begins else last


class ShortDays:
    """The dates that bridge a streak: those of which changes of zone, clock or start of day left too little.

    Every date owes its learner 23 hours, as many as the shortest ordinary day has, when summer time begins. A date
    that had less, or never came, cannot break a streak, and does not count for it either; nor can one into which the
    day before a journey goes on (`stamped_date`). Ask with `in`. What a flight to the east takes away, a flight to the
    west gives back, so nobody gains days by travelling.
    """

    def __init__(self, facts: Sequence[Reckoning]) -> None:
        """`facts` from the oldest to the newest; the first one also holds for the time before it."""
        self._facts = tuple(facts)

    def __contains__(self, day: object) -> bool:
        if not isinstance(day, date):
            return False
        if self.begins(day + ONE_DAY) - self.begins(day) < OWED:
            return True
        return len(self._facts) > 1 and self._worked_from(day + ONE_DAY) - self._worked_from(day) < OWED

    def _worked_from(self, day: date) -> datetime:
        """The first moment at which `day` or a later date is stamped for somebody who works all the time."""
        reached, owed = None, datetime.min.replace(tzinfo=UTC)
        for fact, after in pairwise([*self._facts, None]):
            assert fact is not None
            first = day if reached is None else _next_date(reached, owed, fact)
            begins = _start_of(max(day, first), *fact.place)
            if reached is not None:
                begins = max(begins, fact.since)
            if after is None or begins < after.since:
                break
            latest = game_date(after.since - timedelta.resolution, *fact.place)
            if reached is None or latest >= first:
                reached, owed = latest, owed_until(latest, *fact.place)
        return begins

    def ends(self, day: date) -> datetime:
        """The moment at which this date was over for the learner."""
        return self.begins(day + ONE_DAY)

    def begins(self, day: date) -> datetime:
        """The first moment at which the learner's date was `day` or a later one."""
        last = len(self._facts) - 1
        for number, fact in enumerate(self._facts):
            begins = _start_of(day, *fact.place)
            if number > 0:
                begins = max(begins, fact.since)
            if number == last or begins < self._facts[number + 1].since:
                return begins
        return _start_of(day, "UTC", 0)


def _next_date(reached: date, owed: datetime, fact: Reckoning) -> date:
    """The first date that can be stamped after `reached` when days are reckoned like this."""
    day = max(reached + ONE_DAY, game_date(fact.since, *fact.place))
    while _start_of(day, *fact.place) < owed:
        day += ONE_DAY
    return day


def _exists(day: date, zone: ZoneInfo) -> bool:
    noon = datetime.combine(day, time(12), zone)
    return noon.astimezone(UTC).astimezone(zone).date() == day


def _start_of(day: date, time_zone: str, day_start_hour: int) -> datetime:
    return datetime.combine(day, time(day_start_hour), zone_named(time_zone)).astimezone(UTC)
