"""Which day it is for a learner: summer time, the date line, own day starts, and days that a journey took away."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from codyverse.accounts import services as accounts
from codyverse.accounts.game_days import game_date_for, short_days, today_of
from codyverse.accounts.models import User, ZoneFact
from codyverse.accounts.rules import Reckoning, ShortDays, game_date, stamped_date
from codyverse.core.database import session, unit_of_work
from codyverse.core.errors import NotFound
from tests.factories import make_user

START = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Los_Angeles",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Honolulu",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
)


def wall(zone: str, text: str, fold: int = 0) -> datetime:
    """The moment at which the clocks on the walls of that zone show this."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "hour", "local", "expected"),
    [
        ("Europe/Berlin", 4, "2026-07-10 12:00", "2026-07-10"),
        ("Europe/Berlin", 4, "2026-07-10 23:59:59.999", "2026-07-10"),
        ("Europe/Berlin", 4, "2026-07-11 00:00", "2026-07-10"),
        ("Europe/Berlin", 4, "2026-07-11 03:59:59.999", "2026-07-10"),
        ("Europe/Berlin", 4, "2026-07-11 04:00", "2026-07-11"),
        ("Europe/Berlin", 0, "2026-07-10 23:59:59.999", "2026-07-10"),
        ("Europe/Berlin", 0, "2026-07-11 00:00", "2026-07-11"),
        ("Europe/Berlin", 23, "2026-07-11 22:59", "2026-07-10"),
        ("Europe/Berlin", 23, "2026-07-11 23:00", "2026-07-11"),
        ("UTC", 4, "2028-02-29 03:59", "2028-02-28"),
        ("UTC", 4, "2028-02-29 04:00", "2028-02-29"),
        ("UTC", 4, "2028-03-01 03:59", "2028-02-29"),
        ("UTC", 4, "2026-01-01 00:30", "2025-12-31"),
        ("Asia/Kolkata", 4, "2026-07-10 04:00", "2026-07-10"),
        # summer time begins on 29 March 2026, 02:00 → 03:00: the day still begins at four by the clock on the wall
        ("Europe/Berlin", 4, "2026-03-29 01:59", "2026-03-28"),
        ("Europe/Berlin", 4, "2026-03-29 03:00", "2026-03-28"),
        ("Europe/Berlin", 4, "2026-03-29 04:00", "2026-03-29"),
        ("Europe/Berlin", 2, "2026-03-29 01:59", "2026-03-28"),
        ("Europe/Berlin", 2, "2026-03-29 03:00", "2026-03-29"),
        # the zone that left out 30 December 2011
        ("Pacific/Apia", 4, "2011-12-29 23:59", "2011-12-29"),
        ("Pacific/Apia", 4, "2011-12-31 00:00", "2011-12-29"),
        ("Pacific/Apia", 4, "2011-12-31 03:59", "2011-12-29"),
        ("Pacific/Apia", 4, "2011-12-31 04:00", "2011-12-31"),
        ("Pacific/Apia", 0, "2011-12-31 00:00", "2011-12-31"),
    ],
)
def test_the_local_date(zone: str, hour: int, local: str, expected: str) -> None:
    assert game_date(wall(zone, local), zone, hour) == date.fromisoformat(expected)


@pytest.mark.parametrize("fold", [0, 1])
def test_the_hour_that_comes_twice_is_still_the_day_before(fold: int) -> None:
    at = wall("Europe/Berlin", "2026-10-25 02:30", fold)
    assert game_date(at, "Europe/Berlin", 4) == date(2026, 10, 24)
    assert game_date(at, "Europe/Berlin", 2) == date(2026, 10, 25)


def test_a_clock_set_back_over_the_start_of_a_day_does_not_bring_the_day_before_back() -> None:
    # St John's once set its clocks back at 00:01, so that a day that begins at midnight began twice.
    first = wall("America/St_Johns", "2010-11-07 00:00:30")
    later = first + timedelta(minutes=5)
    assert game_date(first, "America/St_Johns", 0) == date(2010, 11, 7)
    assert game_date(later, "America/St_Johns", 0) == date(2010, 11, 6)
    assert stamped_date(later, "America/St_Johns", 0, date(2010, 11, 7)) == date(2010, 11, 7)


def short(*facts: tuple[datetime, str, int]) -> ShortDays:
    return ShortDays([Reckoning(*fact) for fact in facts])


def which(days: ShortDays, first: str, last: str) -> list[str]:
    day, found = date.fromisoformat(first), []
    while day <= date.fromisoformat(last):
        if day in days:
            found.append(day.isoformat())
        day += timedelta(days=1)
    return found


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kolkata"]
)
@pytest.mark.parametrize("hour", [0, 2, 3, 4, 23])
def test_an_ordinary_year_has_no_day_that_bridges(zone: str, hour: int) -> None:
    assert which(short((START, zone, hour)), "2026-01-01", "2027-01-01") == []


@pytest.mark.parametrize("hour", [0, 4, 12])
def test_the_date_that_samoa_left_out_bridges(hour: int) -> None:
    days = short((datetime(2011, 1, 1, tzinfo=UTC), "Pacific/Apia", hour))
    assert which(days, "2011-12-01", "2012-02-01") == ["2011-12-30"]


@pytest.mark.parametrize(
    ("before", "after", "moved", "expected"),
    [
        # over the date line: Los Angeles to Sydney, the clock set on landing in the morning, or in the evening
        ("America/Los_Angeles", "Australia/Sydney", "2026-06-03 06:30", ["2026-06-02", "2026-06-03"]),
        ("America/Los_Angeles", "Australia/Sydney", "2026-06-03 19:00", ["2026-06-02", "2026-06-03"]),
        # and back: the day that was reached goes on, nothing is lost
        ("Australia/Sydney", "America/Los_Angeles", "2026-06-02 06:00", []),
        # a whole date falls out
        ("Pacific/Pago_Pago", "Pacific/Kiritimati", "2026-06-03 04:30", ["2026-06-02"]),
        ("Pacific/Honolulu", "Pacific/Kiritimati", "2026-06-02 10:00", ["2026-06-01", "2026-06-02"]),
        # a long flight to the east makes its day short
        ("Europe/Berlin", "Asia/Tokyo", "2026-06-02 06:30", ["2026-06-01", "2026-06-02"]),
        ("Europe/Berlin", "Asia/Tokyo", "2026-06-02 19:00", ["2026-06-02", "2026-06-03"]),
        ("Asia/Tokyo", "Europe/Berlin", "2026-06-02 06:30", []),
        # one hour is no more than summer time takes
        ("Europe/London", "Europe/Berlin", "2026-06-02 00:30", []),
        ("Europe/London", "Europe/Berlin", "2026-06-02 12:00", []),
    ],
)
def test_what_a_journey_takes_away_bridges(before: str, after: str, moved: str, expected: list[str]) -> None:
    days = short((START, before, 4), (wall(after, moved), after, 4))
    assert which(days, "2026-05-20", "2026-06-20") == expected


def test_moving_at_half_past_eleven_in_the_evening() -> None:
    moved = wall("UTC", "2026-06-01 23:30")
    assert game_date(moved, "UTC", 0) == date(2026, 6, 1)
    assert game_date(moved, "Europe/Berlin", 0) == date(2026, 6, 2)
    # 1 June lasted 23 and a half hours by then, which is enough; 2 June begins at 01:30 and has 22 and a half
    assert which(short((START, "UTC", 0), (moved, "Europe/Berlin", 0)), "2026-05-20", "2026-06-20") == [
        "2026-06-02"
    ]


def test_an_own_start_of_day_that_is_put_earlier_shortens_the_days_it_divides() -> None:
    days = short((START, "UTC", 12), (wall("UTC", "2026-06-02 06:00"), "UTC", 4))
    assert which(days, "2026-05-20", "2026-06-20") == ["2026-06-01", "2026-06-02"]


def test_putting_the_clock_to_and_fro_gains_no_second_day() -> None:
    facts = [(START, "Pacific/Pago_Pago", 4)]
    for day in range(1, 15):
        noon = datetime(2026, 6, day, 12, tzinfo=UTC)
        facts += [(noon, "Pacific/Kiritimati", 4), (noon + timedelta(minutes=1), "Pacific/Pago_Pago", 4)]
    bridging = which(short(*facts), "2026-05-20", "2026-06-30")
    assert len(bridging) <= 3


moves = st.lists(
    st.tuples(
        st.integers(0, 400 * 60), st.sampled_from(ZONES), st.sampled_from([0, 3, 4, 12, 23]), st.booleans()
    ),
    min_size=1,
    max_size=30,
)


@given(moves)
def test_the_stamped_date_never_goes_backwards(steps: list[tuple[int, str, int, bool]]) -> None:
    at, zone, hour, last = START, "UTC", 4, None
    for minutes, next_zone, next_hour, moves_on in steps:
        at += timedelta(minutes=minutes)
        stamped = stamped_date(at, zone, hour, last)
        assert last is None or stamped >= last
        assert abs((stamped - at.date()).days) <= 2
        last = stamped
        if moves_on:
            zone, hour = next_zone, next_hour


@given(moves)
def test_days_never_outnumber_the_nights(steps: list[tuple[int, str, int, bool]]) -> None:
    """However somebody travels, the dates that bridge are paid for: those that do not have 23 hours each."""
    at, facts = START, [Reckoning(START, "UTC", 4)]
    for minutes, zone, hour, _ in steps:
        at += timedelta(minutes=minutes + 1)
        facts.append(Reckoning(at, zone, hour))
    days = ShortDays(facts)
    end = at + timedelta(days=3)
    span = [START.date() + timedelta(days=n) for n in range((end - START).days)]
    whole = [day for day in span if day not in days]
    assert len(whole) * 23 <= (end - START).total_seconds() / 3600 + 48


@given(st.sampled_from(ZONES), st.integers(0, 23), st.integers(0, 47 * 365 * 24 * 60))
def test_a_day_begins_when_the_day_before_ends(zone: str, hour: int, minutes: int) -> None:
    at = datetime(1990, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    today = game_date(at, zone, hour)
    assert today - game_date(at - timedelta(hours=26), zone, hour) >= timedelta(days=1)
    assert game_date(at + timedelta(hours=20), zone, hour) - today <= timedelta(days=2)


def test_the_date_is_raised_with_the_fact_and_kept_after_a_flight_to_the_west(db_session) -> None:
    who = make_user(time_zone="Asia/Tokyo")
    with unit_of_work():
        assert game_date_for(who, wall("Asia/Tokyo", "2026-06-02 06:00")) == date(2026, 6, 2)
    session.execute(update(User).where(User.id == who).values(time_zone="America/Los_Angeles"))
    assert today_of(who, wall("America/Los_Angeles", "2026-06-01 18:00")) == date(2026, 6, 2)
    with unit_of_work():
        assert game_date_for(who, wall("America/Los_Angeles", "2026-06-01 18:00")) == date(2026, 6, 2)
        assert game_date_for(who, wall("America/Los_Angeles", "2026-06-03 03:59")) == date(2026, 6, 2)
        assert game_date_for(who, wall("America/Los_Angeles", "2026-06-03 04:00")) == date(2026, 6, 3)


def test_looking_at_the_date_writes_nothing(db_session) -> None:
    who = make_user()
    assert today_of(who, datetime(2030, 6, 1, 12, tzinfo=UTC)) == date(2030, 6, 1)
    assert session.scalar(select(User.last_game_date).where(User.id == who)) is None


def test_nobody_has_no_date(db_session) -> None:
    with pytest.raises(NotFound):
        game_date_for(2**62, START)
    with pytest.raises(NotFound):
        today_of(2**62, START)


def test_moving_by_the_settings_leaves_the_fact_that_bridges(db_session, time_machine) -> None:
    time_machine.move_to(wall("America/Los_Angeles", "2026-05-01 12:00"))
    who = make_user(time_zone="America/Los_Angeles")
    time_machine.move_to(wall("Australia/Sydney", "2026-06-03 06:30"))
    with unit_of_work():
        accounts.change_profile(who, display_name="Ada", time_zone="Australia/Sydney", day_start_hour=4)
    facts = session.execute(
        select(ZoneFact.time_zone).where(ZoneFact.user_id == who).order_by(ZoneFact.since)
    )
    assert list(facts.scalars()) == ["America/Los_Angeles", "Australia/Sydney"]
    days = short_days(who)
    assert date(2026, 6, 2) in days
    assert date(2026, 5, 20) not in days


def test_without_facts_no_day_bridges(db_session) -> None:
    who = session.execute(
        insert(User)
        .values(email="a@b.c", email_key="a@b.c", display_name="A", password_hash="-")
        .returning(User.id)
    ).scalar_one()
    assert date(2026, 6, 2) not in short_days(who)
