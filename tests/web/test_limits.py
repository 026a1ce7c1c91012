"""How often somebody may ask: attackers are slowed down, a class behind one address is not locked out."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from codyverse.accounts.models import User
from codyverse.core.clock import now
from codyverse.http.limits import limiter
from config import Settings
from tests.api.triggers import app_of
from tests.factories import PASSWORD, make_user
from tests.web.visits import HTMX, Visitor, checked

LIMITS = ("ratelimit_default", "ratelimit_sign_in", "ratelimit_sign_in_address", "ratelimit_register")
CLASS = 40


@pytest.fixture
def strict(app: Flask) -> Iterator[Flask]:
    """The application with the limits of production, nothing counted yet."""
    kept = app.extensions["settings"]
    defaults = {name: Settings.model_fields[name].default for name in LIMITS}
    app.extensions["settings"] = kept.model_copy(update=defaults)
    limiter.reset()
    yield app
    app.extensions["settings"] = kept
    limiter.reset()


class Person:
    """A browser at an address, which counts nothing but what it really asks."""

    def __init__(self, app: Flask, address: str = "192.0.2.1") -> None:
        self.client = app.test_client()
        self.client.environ_base["REMOTE_ADDR"] = address

    def send(self, path: str, fields: dict[str, str], form: str | None = None) -> TestResponse:
        """Open the page with the form, send it."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get(form or path).text)
        return self.client.post(path, data=fields | {"csrf_token": found[1] if found else ""})

    def sign_in(self, email: str, password: str = PASSWORD) -> TestResponse:
        return self.send("/login", {"email": email, "password": password})


def refused(response: TestResponse) -> int:
    """The seconds to wait that a 429 names; the page is clear about it."""
    assert response.status_code == 429
    page = checked(response)
    assert page.css("h1")[0].text_content() == "A moment, please"
    seconds = int(response.headers["Retry-After"])
    words = f"{seconds} seconds" if seconds <= 90 else f"{-(-seconds // 60)} minutes"
    assert f"Wait {words if seconds > 10 else 'a moment'} and try again; nothing is lost." in page.text
    assert (response.headers["RateLimit-Remaining"], response.headers["RateLimit-Reset"]) == (
        "0",
        str(seconds),
    )
    return seconds


def test_guessing_at_one_account_stops_wherever_it_comes_from(strict: Flask) -> None:
    make_user(email="ada@example.org")
    make_user(email="ben@example.org")
    spellings = ["ada@example.org", " ADA@Example.ORG ", "ada@\uff45xample.org", "ada@example\u3002org"]
    for number in range(10):
        guess = Person(strict, f"192.0.2.{number}").sign_in(spellings[number % 4], "not-it-either")
        assert guess.status_code == 422
    elsewhere = Person(strict, "198.51.100.7")
    for spelling in spellings:
        wait = refused(elsewhere.sign_in(spelling))
        assert 0 < wait <= 60
    assert elsewhere.sign_in("ben@example.org").status_code == 303
    with time_machine.travel(now() + timedelta(seconds=wait)):
        assert Person(strict, "198.51.100.8").sign_in("ada@example.org").status_code == 303


def limit(app: Flask, **limits: str) -> None:
    """Other limits for the rest of the test, to be met sooner."""
    app.extensions["settings"] = app.extensions["settings"].model_copy(update=limits)


def test_an_hour_of_patient_guessing_ends_too(strict: Flask) -> None:
    limit(strict, ratelimit_sign_in="2 per minute;6 per hour")
    make_user(email="ada@example.org")
    begun = now()
    for minute in range(3):
        with time_machine.travel(begun + timedelta(minutes=minute), tick=False):
            for number in range(2):
                guess = Person(strict, f"192.0.2.{minute}{number}").sign_in("ada@example.org", "not-it")
                assert guess.status_code == 422
    with time_machine.travel(begun + timedelta(minutes=12), tick=False):
        assert refused(Person(strict).sign_in("ada@example.org")) == 48 * 60


def test_guessing_at_many_accounts_from_one_address_stops(strict: Flask) -> None:
    guesser = Person(strict, "203.0.113.5")
    for number in range(30):
        assert guesser.sign_in(f"person{number}@example.com", "spring-2026").status_code == 422
    make_user(email="ada@example.org")
    refused(guesser.sign_in("ada@example.org"))
    assert Person(strict, "203.0.113.6").sign_in("ada@example.org").status_code == 303


def test_a_class_signs_in_within_a_minute_behind_one_address(strict: Flask) -> None:
    """Each opens the start page; every fourth mistypes first; then each goes on by themselves."""
    with time_machine.travel(now(), tick=False):
        for number in range(CLASS):
            email = f"pupil{number}@example.org"
            make_user(email=email)
            person = Person(strict)
            assert person.client.get("/").status_code == 200
            if number % 4 == 0:
                assert person.sign_in(email, "wren-lantern-tide-24").status_code == 422
            assert person.sign_in(email).status_code == 303
            assert person.client.get("/dashboard").status_code == 200


def test_a_class_signs_up_within_a_minute_behind_one_address(strict: Flask, db_session) -> None:
    with time_machine.travel(now(), tick=False):
        for number in range(CLASS):
            email = f"pupil{number}@example.org"
            form = {"display_name": f"Pupil {number}", "email": email, "password": PASSWORD}
            person = Person(strict)
            assert person.send("/register", form).status_code == 303
            assert person.sign_in(email).status_code == 303
    assert len(db_session.scalars(select(User.id)).all()) == CLASS


def test_accounts_are_not_made_by_the_hundred(strict: Flask, db_session) -> None:
    assert Settings.model_fields["ratelimit_register"].default == "60 per hour"
    limit(strict, ratelimit_register="6 per hour")
    begun = now()
    form = {"display_name": "Grace", "password": PASSWORD}
    for minute in range(3):
        with time_machine.travel(begun + timedelta(minutes=minute), tick=False):
            assert Person(strict).send("/register", form | {"email": "not an address"}).status_code == 422
            for number in range(2):
                email = {"email": f"many{minute}-{number}@example.org"}
                assert Person(strict).send("/register", form | email).status_code == 303
    with time_machine.travel(begun + timedelta(minutes=3), tick=False):
        assert refused(Person(strict).send("/register", form | {"email": "last@example.org"})) == 57 * 60
        elsewhere = Person(strict, "203.0.113.6").send("/register", form | {"email": "far@example.org"})
        assert elsewhere.status_code == 303
    assert len(db_session.scalars(select(User.id)).all()) == 7


def test_people_who_are_signed_in_behind_one_address_are_counted_alone(strict: Flask) -> None:
    people = []
    for name in ("ada", "ben"):
        make_user(email=f"{name}@example.org")
        people.append(Person(strict))
        assert people[-1].sign_in(f"{name}@example.org").status_code == 303
    ada, ben = people
    with time_machine.travel(now(), tick=False):
        assert {ada.client.get("/courses/none").status_code for _ in range(200)} == {404}
        refused(ada.client.get("/dashboard"))
        alert = ada.client.get("/dashboard", headers=HTMX)
        assert (alert.status_code, "<html" in alert.text) == (429, False)
        assert "data-send-again" in alert.text
        assert int(alert.headers["Retry-After"]) > 0
        assert ben.client.get("/dashboard").status_code == 200
        assert Person(strict).client.get("/").status_code == 200


def test_wrong_passwords_of_somebody_who_is_signed_in_are_counted_for_them(strict: Flask) -> None:
    make_user(email="ada@example.org")
    make_user(email="ben@example.org")
    ada, ben = Person(strict), Person(strict)
    form = {"current_password": "not-mine", "new_password": "river-comet-fable"}
    for person, email in ((ada, "ada@example.org"), (ben, "ben@example.org")):
        person.sign_in(email)
    for _ in range(10):
        assert ada.send("/settings/password", form, "/settings").status_code == 422
    refused(ada.send("/settings/password", form | {"current_password": PASSWORD}, "/settings"))
    right = form | {"current_password": PASSWORD}
    assert ben.send("/settings/password", right, "/settings").status_code == 303


def test_health_is_never_refused_and_other_answers_say_what_is_left(strict: Flask) -> None:
    client = Person(strict).client
    assert {client.get("/health/live").status_code for _ in range(250)} == {200}
    response = client.get("/courses")
    assert (response.headers["RateLimit-Limit"], response.headers["RateLimit-Remaining"]) == ("200", "199")
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::1%eth0", True),
    ],
)
def test_one_network_of_ipv6_is_one_address(strict: Flask, first: str, second: str, same: bool) -> None:
    for address in (first, second):
        left = Person(strict, address).client.get("/courses").headers["RateLimit-Remaining"]
    assert left == ("198" if same else "199")


def test_a_visitor_is_told_when_signing_in_has_to_wait(strict: Flask) -> None:
    visitor = Visitor(strict)
    for _ in range(10):
        visitor.post("/login", {"email": "ada@example.org", "password": "x"}, status=422)
    page = visitor.post("/login", {"email": "ada@example.org", "password": "x"}, status=429)
    assert "Wait" in page.text


def test_guessing_codes_stops_wherever_it_comes_from(strict: Flask) -> None:
    """Who knows the password begins anew each time, from another address: what is counted is the account."""
    who = make_user(email="ada@example.org", password="a long pass phrase")
    code = app_of(who)
    for number in range(10):
        person = Person(strict, f"192.0.2.{number}")
        assert person.sign_in("ada@example.org", "a long pass phrase").location == "/login/second"
        assert person.send("/login/second", {"code": f"{number:06}"}).status_code == 422
    person = Person(strict, "198.51.100.7")
    person.sign_in("ada@example.org", "a long pass phrase")
    wait = refused(person.send("/login/second", {"code": code}))
    with time_machine.travel(now() + timedelta(seconds=wait), tick=False):
        answer = person.send("/login/second", {"code": code})
        assert answer.status_code in (303, 422), "asked again; the code may be too old by now"
