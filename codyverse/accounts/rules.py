"""The rules of the learner's calendar: which day it is for them, and which days a journey or a clock took away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
OWED = timedelta(hours=23)


@dataclass(frozen=True, slots=True)
class Reckoning:
    """From `since` on the learner's days are reckoned in `time_zone` (IANA) and begin at `day_start_hour`."""

    since: datetime
    time_zone: str
    day_start_hour: int


def game_date(at: datetime, time_zone: str, day_start_hour: int) -> date:
    """The learner's local date at the moment `at`, the day beginning at their own hour (DESIGN §2, game day).

    Reckoned on the clock on the wall, so the day begins at that hour also on days that are an hour shorter or longer.
    Before that hour it is still the day before, which is the date before this one in that zone's own calendar: on
    31 December 2011 in Samoa, which left out the 30th, the small hours belong to the 29th.
    """
    zone = ZoneInfo(time_zone)
    local = at.astimezone(zone)
    if local.hour >= day_start_hour:
        return local.date()
    before = local.date() - ONE_DAY
    while not _exists(before, zone):
        before -= ONE_DAY
    return before


def stamped_date(
    at: datetime, time_zone: str, day_start_hour: int, last: date | None, owed_until: datetime | None = None
) -> date:
    """The date to stamp on a fact that happens now: the game date, but never before `last`, the latest one stamped.

    After a flight to the west, or a clock set back at midnight, the day that was already reached goes on until the
    calendar has caught up with it. After a flight to the east a day that was worked on goes on until the first date
    that begins after its 23 hours (`owed_until`), so that one real day is never two of the game's.
    """
    today = game_date(at, time_zone, day_start_hour)
    if last is None:
        return today
    begun = owed_until is None or _start_of(today, Reckoning(at, time_zone, day_start_hour)) >= owed_until
    return today if today > last and begun else last


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
        return self.begins(day + ONE_DAY) - self.begins(day) < OWED or self._is_passed_over(day)

    def _is_passed_over(self, day: date) -> bool:
        """Whether the day of a journey had not had its hours when this date would have begun there."""
        until = self.ends(day)
        known = [number for number, fact in enumerate(self._facts) if fact.since < until]
        if not known or known[-1] == 0:
            return False
        before, after = self._facts[known[-1] - 1], self._facts[known[-1]]
        reached = game_date(after.since, before.time_zone, before.day_start_hour)
        while self.begins(reached + ONE_DAY) < after.since:
            reached += ONE_DAY
        return reached < day and _start_of(day, after) < self.owed_until(reached)

    def ends(self, day: date) -> datetime:
        """The moment at which this date was over for the learner."""
        return self.begins(day + ONE_DAY)

    def owed_until(self, day: date) -> datetime:
        """The moment at which a date has had what it owes its learner."""
        return self.begins(day) + OWED

    def begins(self, day: date) -> datetime:
        """The first moment at which the learner's date was `day` or a later one."""
        last = len(self._facts) - 1
        for number, fact in enumerate(self._facts):
            begins = _start_of(day, fact)
            if number > 0:
                begins = max(begins, fact.since)
            if number == last or begins < self._facts[number + 1].since:
                return begins
        return _start_of(day, Reckoning(datetime.min.replace(tzinfo=UTC), "UTC", 0))


def _exists(day: date, zone: ZoneInfo) -> bool:
    noon = datetime.combine(day, time(12), zone)
    return noon.astimezone(UTC).astimezone(zone).date() == day


def _start_of(day: date, fact: Reckoning) -> datetime:
    return datetime.combine(day, time(fact.day_start_hour), ZoneInfo(fact.time_zone)).astimezone(UTC)
