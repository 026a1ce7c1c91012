"""The learner's days in the database: the date to stamp on a fact, today's date for a page, days that bridge."""

from collections.abc import Container
from datetime import date, datetime, timedelta

from sqlalchemy import bindparam, select, update

from codyverse.accounts.models import User, ZoneFact
from codyverse.accounts.rules import ONE_DAY, Reckoning, ShortDays, owed_until, stamped_date
from codyverse.core.database import session
from codyverse.core.errors import NotFound

_USER = select(User.time_zone, User.day_start_hour, User.last_game_date, User.owed_until).where(
    User.id == bindparam("user_id")
)
_USER_LOCKED = _USER.with_for_update(key_share=True)
_RAISE = (
    update(User)
    .where(User.id == bindparam("whom"))
    .values(last_game_date=bindparam("reached"), owed_until=bindparam("owed"))
)
_FACTS = (
    select(ZoneFact.since, ZoneFact.time_zone, ZoneFact.day_start_hour)
    .where(ZoneFact.user_id == bindparam("user_id"))
    .order_by(ZoneFact.since)
)


def game_date_for(user_id: int, at: datetime) -> date:
    """The date to stamp on what this learner does at `at`; never before one that was stamped already.

    Locks the user's row until the end of the transaction, which makes it the first lock of every write about a
    learner. One statement, two on the first fact of a day. Raises NotFound.
    """
    user = session.connection().execute(_USER_LOCKED, {"user_id": user_id}).one_or_none()
    if user is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    zone, hour, last, owed = user
    return raise_game_date(user_id, at, zone, hour, last=last, owed=owed)


def raise_game_date(
    user_id: int,
    at: datetime,
    time_zone: str,
    day_start_hour: int,
    *,
    last: date | None,
    owed: datetime | None,
) -> date:
    """The same for a caller who has read and locked the user's row with a statement of its own."""
    today, until = reckoned_date(at, time_zone, day_start_hour, last, owed)
    if today != last:
        session.connection().execute(_RAISE, {"whom": user_id, "reached": today, "owed": until})
    return today


def reckoned_date(
    at: datetime, time_zone: str, day_start_hour: int, last: date | None, owed: datetime | None
) -> tuple[date, datetime | None]:
    """The date to stamp on what happens at `at`, and until when it is owed its hours: what the user's row has to say from now
    on, if the date is another than `last`. Pure."""
    today = stamped_date(at, time_zone, day_start_hour, last, owed)
    return today, owed if today == last else owed_until(today, time_zone, day_start_hour)


def today_of(user_id: int, at: datetime) -> date:
    """The learner's date at `at`, for showing: locks and writes nothing. Raises NotFound."""
    user = session.connection().execute(_USER, {"user_id": user_id}).one_or_none()
    if user is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    return stamped_date(at, *user)


def zone_holds_from(user_id: int, at: datetime, today: date | None) -> datetime:
    """The moment from which a change of zone at `at` holds, `today` being the date that was stamped with it, if any.

    That is `at`, unless the server's clock was set back: days that are over, and changes made before, stay as they are.
    """
    facts = [Reckoning(*row) for row in session.connection().execute(_FACTS, {"user_id": user_id})]
    if not facts:
        return at
    began = at if today is None else ShortDays(facts).ends(today - ONE_DAY) + timedelta.resolution
    return max(at, began, facts[-1].since)


class _ShortDaysOf:
    """The bridging dates of one learner, read when they are first asked for: most streaks have no gap to ask about."""

    def __init__(self, user_id: int) -> None:
        self._user_id = user_id
        self._known: ShortDays | None = None

    def __contains__(self, day: object) -> bool:
        if self._known is None:
            rows = session.connection().execute(_FACTS, {"user_id": self._user_id})
            self._known = ShortDays([Reckoning(*row) for row in rows])
        return day in self._known


def short_days(user_id: int) -> Container[date]:
    """The dates of this learner that bridge a streak, by the facts about their zone. One statement, at the first ask."""
    return _ShortDaysOf(user_id)
