"""Digests: at most one a day, each thing in one of them; mails claimed, sent, tried again, given up."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.accounts import services as accounts
from codyverse.core.clock import standing_at
from codyverse.core.database import session, unit_of_work
from codyverse.core.errors import NotFound
from codyverse.notifications import post, queries, rules, services
from codyverse.notifications.post import Letter
from tests.domains.together import together
from tests.factories import make_user

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
EVENING = NOON + timedelta(hours=6)
DAY = timedelta(days=1)


@pytest.fixture
def who(app: Flask) -> int:
    return reader()


def reader(**changed: object) -> int:
    """Somebody in UTC who wants to be told of everything at 17:00."""
    made = make_user()
    with unit_of_work():
        services.choose(
            made, **({"page_off": (), "mail_kinds": rules.KINDS, "mail_hour": 17, "quiet": None} | changed)
        )
    return made


def tell(who: int, number: int = 2, at: datetime = NOON) -> None:
    with unit_of_work():
        services.tell(
            "level", f"level:{number}", {"level": number, "name": "Student", "gems": number}, [who], at
        )


def digests(at: datetime) -> int:
    with unit_of_work():
        return post.write_digests(at).done


def claimed(at: datetime) -> tuple[Letter, ...]:
    with unit_of_work():
        return post.claim(at)


def contexts() -> list[list[str]]:
    return [[item["title"] for item in mail.context["items"]] for mail in reversed(queries.kept_mails())]


def test_a_digest_a_day_and_each_thing_in_one_of_them(who: int) -> None:
    tell(who, 2)
    assert digests(NOON) == 0, "not before the hour that its reader chose"
    assert digests(EVENING) == 1
    assert digests(EVENING) == 0
    tell(who, 3, EVENING)
    assert digests(EVENING + timedelta(hours=2)) == 0, "one a day"
    assert digests(EVENING + DAY) == 1
    assert digests(EVENING + 2 * DAY) == 0, "nothing happened, nothing is sent"
    assert contexts() == [["Level 2: Student"], ["Level 3: Student"]]


def test_what_was_read_or_not_wanted_or_hidden_is_not_mailed(app: Flask) -> None:
    has_read, wants_none, hides, leagues_only = (
        reader(),
        reader(mail_kinds=()),
        reader(),
        reader(mail_kinds=["league"]),
    )
    for who in (has_read, wants_none, hides, leagues_only, make_user()):
        tell(who)
    with unit_of_work():
        services.mark_all_read(has_read)
        accounts.change_preferences(hides, goal_intensity="regular", hidden=frozenset({"xp"}), theme="auto")
    assert digests(EVENING) == 0


def test_quiet_hours_hold_the_mail_back(app: Flask) -> None:
    who = reader(mail_hour=0, quiet=(0, 8))
    tell(who)
    assert digests(NOON + timedelta(hours=13)) == 0
    assert digests(NOON + timedelta(hours=20)) == 1


def test_a_long_list_is_cut_and_says_so(who: int) -> None:
    for number in range(2, 15):
        tell(who, number)
    digests(EVENING)
    [mail] = queries.kept_mails()
    assert len(mail.context["items"]) == 10
    assert mail.context["more"] == 3
    assert digests(EVENING + DAY) == 0, "all of it has been told"


def test_fifty_at_once_write_one_digest_and_send_it_once(committed_app: Flask) -> None:
    who = reader()
    tell(who)
    assert sum(together(committed_app, [lambda: digests(EVENING)] * 50)) == 1
    taken = together(committed_app, [lambda: claimed(EVENING)] * 50)
    assert sum(len(each) for each in taken) == 1


def test_a_mail_that_is_sent_is_over(who: int) -> None:
    tell(who)
    digests(EVENING)
    [letter] = claimed(EVENING)
    assert (letter.kind, letter.tries) == ("digest", 1)
    assert claimed(EVENING) == ()
    with unit_of_work():
        post.sent(letter.id, EVENING)
    assert claimed(EVENING + DAY / 2) == ()
    assert post.waiting() == 0


def test_a_mail_that_is_not_taken_is_tried_again_until_it_is_too_late(who: int) -> None:
    tell(who)
    digests(EVENING)
    at, tries = EVENING, 0
    while at < EVENING + 2 * DAY:
        for letter in claimed(at):
            tries += 1
            with unit_of_work():
                post.not_sent(letter, at, "451 later", for_good=False)
        at += timedelta(minutes=10)
    assert tries == rules.MOST_TRIES
    [mail] = queries.kept_mails()
    assert mail.failed_at is not None
    assert mail.fault == "451 later"


def test_a_refusal_for_good_ends_it_at_once(who: int) -> None:
    tell(who)
    digests(EVENING)
    [letter] = claimed(EVENING)
    with unit_of_work():
        post.not_sent(letter, EVENING, "550 no such person", for_good=True)
    assert claimed(EVENING + timedelta(hours=1)) == ()


def test_a_digest_that_may_have_been_sent_is_not_sent_again_but_other_mails_are(who: int) -> None:
    tell(who)
    digests(EVENING)
    with unit_of_work():
        post.write_mail(
            "reset", "reset:1", "ada@example.org", {}, user_id=who, at=EVENING, useful_for=timedelta(hours=2)
        )
    assert len(claimed(EVENING)) == 2  # and the worker is killed
    assert claimed(EVENING + timedelta(minutes=14)) == ()
    again = claimed(EVENING + timedelta(minutes=16))
    assert [(letter.kind, letter.tries) for letter in again] == [("reset", 2)]
    digest = next(mail for mail in queries.kept_mails() if mail.kind == "digest")
    assert digest.fault == "the worker was stopped while sending"


def test_a_mail_that_is_too_late_is_not_sent(who: int) -> None:
    tell(who)
    digests(EVENING)
    assert claimed(EVENING + DAY) == ()
    assert queries.kept_mails()[0].fault == "too late"


def test_unsubscribing_ends_the_mails_also_the_one_that_waits(who: int) -> None:
    tell(who)
    digests(EVENING)
    token = queries.choices(who).unsubscribe_token
    for _ in range(2):
        with unit_of_work():
            services.unsubscribe(token)
    assert claimed(EVENING) == ()
    tell(who, 3, EVENING)
    assert digests(EVENING + DAY) == 0
    with pytest.raises(NotFound), unit_of_work():
        services.unsubscribe("somebody-elses")


def test_a_mail_is_in_the_transaction_of_what_it_is_about(who: int) -> None:
    def fails() -> None:
        with unit_of_work():
            post.write_mail("x", "x:1", "a@example.org", {}, user_id=who, at=NOON, useful_for=DAY)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert post.waiting() == 0


def test_old_mails_are_forgotten(who: int) -> None:
    tell(who)
    digests(EVENING)
    with standing_at(EVENING), unit_of_work():
        post.sent(queries.kept_mails()[0].id, EVENING)
    with unit_of_work():
        assert services.forget_old(EVENING + rules.KEEP_MAILS + DAY) == 1
    assert session.execute(text("select count(*) from mails")).scalar_one() == 0
