"""Who is told of what: once, in the fact's transaction, as they want it."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text, update

from codyverse.accounts import services as accounts
from codyverse.accounts.models import User
from codyverse.core.clock import now, standing_at
from codyverse.core.database import session, unit_of_work
from codyverse.core.errors import Invalid
from codyverse.core.events import publish
from codyverse.gamification.leagues.events import LeagueClosed
from codyverse.gamification.services import keep_todays_goals
from codyverse.notifications import queries, services
from codyverse.notifications.queries import Bell
from tests.domains.study import Plan, do_lesson, make_course
from tests.domains.together import together
from tests.factories import make_user

NOBODY_HIDES: frozenset[str] = frozenset()


@pytest.fixture
def who(app: Flask) -> int:
    return make_user(time_zone="Europe/Berlin")


def tell(*people: int, kind: str = "level", number: int = 2, at: datetime | None = None) -> int:
    details = {"level": number, "name": "Beginner", "gems": number}
    with unit_of_work():
        return services.tell(kind, f"{kind}:{number}", details, people, at or now())


def bell(who: int) -> Bell:
    return queries.bell(who, NOBODY_HIDES)


def titles(who: int, **more: bool) -> list[str]:
    return [line.title for line in queries.listing(who, NOBODY_HIDES, 2**62, 50, **more).lines]


def choose(who: int, **changed: object) -> None:
    given = {"page_off": (), "mail_kinds": (), "mail_hour": 17, "quiet": None} | changed
    with unit_of_work():
        services.choose(who, **given)


def test_a_fact_is_told_once(who: int) -> None:
    assert tell(who) == 1
    assert tell(who) == 0
    assert titles(who) == ["Level 2: Beginner"]
    assert bell(who).unread == 1


def test_nobody_and_a_closed_account_are_not_told(who: int) -> None:
    assert tell() == 0
    make_user(email="gone@example.org")
    with unit_of_work():
        accounts.deactivate("gone@example.org")
    gone = session.execute(text("select id from users where email = 'gone@example.org'")).scalar_one()
    assert tell(who, gone) == 1


def test_lessons_bring_news_of_goals_and_levels(who: int) -> None:
    for lesson in make_course(*[Plan(difficulty="advanced")] * 4):
        do_lesson(who, lesson)
    found = titles(who)
    assert "Level 2: Beginner" in found
    assert any(each.startswith("Goal reached: ") for each in found)


def test_a_fact_that_is_rolled_back_is_not_told(who: int) -> None:
    def fails() -> None:
        with unit_of_work():
            services.tell("streak", "streak:x", {"days": 3}, [who], now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert titles(who) == []


def test_reading_one_and_all(who: int) -> None:
    for number in (2, 3, 4):
        tell(who, number=number)
    news = queries.listing(who, NOBODY_HIDES, 2**62, 50).lines
    before = bell(who)
    with unit_of_work():
        services.mark_read(who, news[1].id)
    assert bell(who).unread == 2
    assert bell(who).state != before.state
    assert titles(who, unread_only=True) == ["Level 4: Beginner", "Level 2: Beginner"]
    with unit_of_work():
        services.mark_all_read(who, news[1].id)
    assert titles(who, unread_only=True) == ["Level 4: Beginner"], "what came later stays unread"
    with unit_of_work():
        services.mark_all_read(who)
        services.mark_all_read(who)
    assert bell(who).unread == 0


def test_one_cannot_read_anothers(who: int) -> None:
    other = make_user()
    tell(other)
    [theirs] = queries.listing(other, NOBODY_HIDES, 2**62, 50).lines
    with unit_of_work():
        services.mark_read(who, theirs.id)
        services.mark_all_read(who)
    assert bell(other).unread == 1


def test_a_kind_left_out_is_in_the_list_as_read(who: int) -> None:
    choose(who, page_off=["level"])
    tell(who)
    assert titles(who) == ["Level 2: Beginner"]
    assert bell(who).unread == 0


def test_a_hidden_mechanic_leaves_no_trace_and_no_flood(who: int) -> None:
    tell(who, number=2)
    with unit_of_work():
        keep_todays_goals(who)
        accounts.change_preferences(who, goal_intensity="regular", hidden=frozenset({"xp"}), theme="auto")
    tell(who, number=3)
    hidden = frozenset({"xp"})
    assert queries.listing(who, hidden, 2**62, 50).lines == ()
    assert queries.bell(who, hidden).unread == 0
    assert titles(who) == ["Level 3: Beginner", "Level 2: Beginner"]
    assert bell(who).unread == 1, "shown again, what came meanwhile counts as read"


def test_pages_of_the_list(who: int) -> None:
    for number in range(2, 9):
        tell(who, number=number)
    first = queries.listing(who, NOBODY_HIDES, 2**62, 3)
    assert first.next_before_id == first.lines[-1].id
    second = queries.listing(who, NOBODY_HIDES, first.next_before_id, 3)
    last = queries.listing(who, NOBODY_HIDES, second.next_before_id or 0, 3)
    found = [line.title for page in (first, second, last) for line in page.lines]
    assert found == [f"Level {n}: Beginner" for n in range(8, 1, -1)]
    assert last.next_before_id is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"page_off": ["likes"]}, "page"),
        ({"mail_kinds": ["likes"]}, "page"),
        ({"mail_hour": 24}, "mail_hour"),
        ({"quiet": (22, 25)}, "quiet_from"),
    ],
)
def test_choices_that_do_not_exist(who: int, wrong: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        choose(who, **wrong)
    assert list(caught.value.fields) == [field]


def test_choices_are_kept(who: int) -> None:
    assert queries.choices(who).mail_kinds == frozenset()
    choose(who, page_off=["goal"], mail_kinds=["league", "course"], mail_hour=9, quiet=(22, 7))
    token = queries.choices(who).unsubscribe_token
    choose(who, page_off=["goal"], mail_kinds=["league"], mail_hour=9, quiet=(7, 7))
    kept = queries.choices(who)
    assert (kept.page_off, kept.mail_kinds, kept.mail_hour, kept.quiet) == ({"goal"}, {"league"}, 9, None)
    assert kept.unsubscribe_token == token


def streak_of(who: int, days: int, last: datetime) -> int:
    """Lessons on this many days in a row, the last one at `last`; the number of days."""
    [lesson] = make_course(Plan(asks=1))
    for back in range(days - 1, -1, -1):
        with standing_at(last - timedelta(days=back)):
            do_lesson(who, lesson)
    return days


def remind(at: datetime) -> int:
    with unit_of_work():
        return services.remind_of_streaks(at).done


def test_a_streak_at_risk_is_told_once_a_day_about_a_day_later(app: Flask) -> None:
    last = datetime(2026, 3, 9, 18, 0, tzinfo=UTC)
    with standing_at(last - timedelta(days=9)):
        who = make_user(time_zone="Europe/Berlin")
    streak_of(who, 3, last)
    before = set(titles(who))
    assert remind(last + timedelta(hours=1)) == 0
    assert remind(last + timedelta(hours=20)) == 0, "too early"
    assert remind(last + timedelta(hours=23, minutes=40)) == 1
    assert remind(last + timedelta(hours=23, minutes=55)) == 0, "once"
    assert set(titles(who)) - before == {"3 days in a row so far"}
    assert remind(last + timedelta(days=3)) == 0, "it is over, and nobody scolds"


def test_somebody_who_learned_today_or_hides_the_streak_is_not_reminded(app: Flask) -> None:
    last = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
    with standing_at(last - timedelta(days=9)):
        busy, calm = make_user(), make_user()
    streak_of(busy, 4, last)
    streak_of(calm, 4, last)
    with standing_at(last + timedelta(hours=1)), unit_of_work():
        accounts.change_preferences(
            calm, goal_intensity="regular", hidden=frozenset({"streak"}), theme="auto"
        )
    streak_of(busy, 1, last + timedelta(hours=20))
    assert remind(last + timedelta(hours=24)) == 0


def test_news_of_a_course_for_those_who_began_it(who: int) -> None:
    other = make_user()
    [first] = make_course(Plan(asks=1, key="one"), key="growing")
    do_lesson(who, first)
    make_course(Plan(asks=1, key="one"), Plan(asks=1, key="two"), Plan(asks=1, key="three"), key="growing")
    assert "New in Course growing" in titles(who)
    assert titles(other) == []
    make_course(Plan(asks=1, key="one"), Plan(asks=1, key="two"), key="growing", text="Changed?")
    assert titles(who).count("New in Course growing") == 1


def test_a_new_course_for_those_who_learned_lately(who: int) -> None:
    make_user()
    [first] = make_course(Plan(asks=1), key="old")
    do_lesson(who, first)
    make_course(Plan(asks=1), Plan(asks=1), key="brand-new")
    [line] = [each for each in queries.listing(who, NOBODY_HIDES, 2**62, 50).lines if each.kind == "course"]
    assert (line.title, line.text, line.target) == (
        "A new course: Course brand-new",
        "It has 2 lessons.",
        "brand-new",
    )


def test_old_news_is_forgotten(who: int) -> None:
    then = now() - timedelta(days=100)
    tell(who, number=2, at=then)
    tell(who, number=3, at=then)
    [newest, _] = queries.listing(who, NOBODY_HIDES, 2**62, 50).lines
    with standing_at(then), unit_of_work():
        services.mark_read(who, newest.id)
    with unit_of_work():
        assert services.forget_old(now()) == 1
        assert services.forget_old(now()) == 0
    assert titles(who) == ["Level 2: Beginner"], "unread news waits for its reader"


def test_fifty_at_once_tell_once(committed_app: Flask) -> None:
    who = make_user()

    def act() -> int:
        return tell(who)

    assert sum(together(committed_app, [act] * 50)) == 1
    assert bell(who).unread == 1


def test_the_result_of_a_league(who: int) -> None:
    at = now()
    result = LeagueClosed(who, at.date(), 2, 14, 310, True, 20, at, at.date())
    for _ in range(2):
        with unit_of_work():
            publish(result)
    [line] = queries.listing(who, NOBODY_HIDES, 2**62, 50).lines
    assert line.title == "Your league's week is over: place 2 of 14"
    assert line.text == "Together you finished the quest, which brings you 20 coins."


def test_who_counts_by_weeks_is_not_reminded_of_days(app: Flask) -> None:
    last = datetime(2026, 3, 9, 18, 0, tzinfo=UTC)
    with standing_at(last - timedelta(days=9)):
        who = make_user()
    streak_of(who, 3, last)
    with unit_of_work():
        stored = {"streak_mode": "weekly"}
        session.execute(update(User).where(User.id == who).values(preferences=stored))
    assert remind(last + timedelta(hours=24)) == 0
