"""Passkeys: added, signed in with, asked for after the password; twice, late, of others, elsewhere: refused."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.http import seals
from tests.api.triggers import app_of
from tests.authenticator import Authenticator, read, written
from tests.factories import PASSWORD, make_user
from tests.web.visits import Page, Visitor

ADA, BEN = "ada@example.org", "ben@example.org"
KEYS = "/settings/security/passkeys"
ORIGIN = "https://learn.example.org"


@pytest.fixture(autouse=True)
def named(app: Flask) -> Iterator[None]:
    """The site has a name, for there are no passkeys for bare IP addresses."""
    kept = app.extensions["settings"]
    app.extensions["settings"] = kept.model_copy(update={"base_url": ORIGIN})
    yield
    app.extensions["settings"] = kept


def options(page: Page) -> str:
    [form] = page.css("form[data-passkey]")
    return str(form.get("data-options"))


def add(visitor: Visitor, device: Authenticator, name: str = "My phone", status: int = 200) -> Page:
    visitor.post(KEYS, {"current_password": PASSWORD})
    page = visitor.get(KEYS)
    given = {"name": name, "credential": device.create(options(page))}
    return visitor.submit(page, f"{KEYS}/add", given, status=status)


def with_passkey(app: Flask, email: str = ADA) -> tuple[Visitor, Authenticator, list[str]]:
    """Somebody signed in, their device, their recovery codes."""
    make_user(email=email)
    visitor, device = Visitor(app).sign_in(email), Authenticator(ORIGIN)
    page = add(visitor, device)
    return visitor, device, [each.text_content() for each in page.css("#new-codes code")]


def asked(visitor: Visitor) -> str:
    return options(visitor.get("/login"))


def send(visitor: Visitor, credential: str, status: int = 303, path: str = "/login/passkey") -> Page:
    return visitor.post(path, {"credential": credential}, status=status)


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/dashboard").response.request.path == "/dashboard"


def test_added_and_signed_in_with(app: Flask) -> None:
    visitor, device, codes = with_passkey(app)
    assert len(codes) == 10
    assert "My phone" in visitor.get(KEYS).text
    assert "You have one" in visitor.get("/settings/security").text
    fresh = Visitor(app)
    page = fresh.get("/login?next=/courses")
    answer = fresh.submit(page, "/login/passkey", {"credential": device.sign(options(page))})
    assert answer.response.location == "/courses"
    assert is_in(fresh)
    assert "Last usednot yet" not in visitor.get(KEYS).text


def test_it_is_asked_for_after_the_password(app: Flask) -> None:
    _, device, codes = with_passkey(app)
    fresh = Visitor(app)
    assert fresh.post("/login", {"email": ADA, "password": PASSWORD}).response.location == "/login/second"
    page = fresh.get("/login/second")
    assert not is_in(fresh)
    allowed = json.loads(options(page))["allowCredentials"]
    assert [read(each["id"]) for each in allowed] == [device.id]
    device.verifies = False  # a touch is enough: the password was given
    fresh.submit(page, "/login/second/passkey", {"credential": device.sign(options(page))})
    assert is_in(fresh)
    without = Visitor(app)
    without.post("/login", {"email": ADA, "password": PASSWORD})
    without.post("/login/second", {"code": codes[0]})
    assert is_in(without)


def test_a_second_one_brings_no_new_codes_and_an_app_none_either(app: Flask) -> None:
    visitor, _, codes = with_passkey(app)
    assert add(visitor, Authenticator(ORIGIN), "My laptop", status=303).response.location == KEYS
    assert "My laptop" in visitor.get(KEYS).text
    assert codes
    other = Visitor(app)
    who = make_user(email=BEN, password="a long pass phrase")
    app_of(who)
    other.post("/login", {"email": BEN, "password": "a long pass phrase"})
    assert (
        session.execute(text("select count(*) from recovery_codes where user_id = :id"), {"id": who}).scalar()
        == 10
    )


def test_a_challenge_is_good_once_and_for_ten_minutes(app: Flask) -> None:
    _, device, _ = with_passkey(app)
    visitor = Visitor(app)
    page = asked(visitor)
    first, again = device.sign(page), device.sign(page)
    send(visitor, first)
    assert is_in(visitor)
    for used in (first, again):
        assert "was not taken" in send(Visitor(app), used, 422).text
    slow = Visitor(app)
    late = device.sign(asked(slow))
    with time_machine.travel(now() + timedelta(minutes=11)):
        send(slow, late, 422)
        assert not is_in(slow)
        send(slow, device.sign(asked(slow)))


def test_a_challenge_from_before_a_change_of_the_password_is_refused(app: Flask) -> None:
    visitor, device, _ = with_passkey(app)
    thief = Visitor(app)
    kept = device.sign(asked(thief))
    visitor.post("/settings/password", {"current_password": PASSWORD, "new_password": "river-comet-fable"})
    send(thief, kept, 422)
    send(thief, device.sign(asked(thief)))


def test_what_is_refused(app: Flask) -> None:
    """Another site's page, another key under the same name, a device that did not check its owner, a changed answer."""
    _, device, _ = with_passkey(app)
    visitor = Visitor(app)
    evil = Authenticator("https://learn.example.org.evil.example", id=device.id, key=device.key)
    false = Authenticator(ORIGIN, id=device.id)
    lazy = Authenticator(ORIGIN, id=device.id, key=device.key, verifies=False)
    unknown = Authenticator(ORIGIN)
    for each in (evil, false, lazy, unknown):
        send(visitor, each.sign(asked(visitor)), 422)
    elsewhere = json.loads(asked(visitor)) | {"rpId": "evil.example"}
    send(visitor, device.sign(json.dumps(elsewhere)), 422)
    made_up = json.loads(asked(visitor)) | {"challenge": written(b"x" * 32)}
    send(visitor, device.sign(json.dumps(made_up)), 422)
    good = json.loads(device.sign(asked(visitor)))
    for part in good["response"]:
        changed = good | {"response": good["response"] | {part: "AAAA"}}
        send(visitor, json.dumps(changed), 422)
    for odd in ("", "{}", "[]", "null", "1", '{"id": 1, "response": 2}', "x" * 30_000, "[" * 5_000):
        send(visitor, odd, 422)
    assert not is_in(visitor)


def test_a_copied_device_is_noticed(app: Flask) -> None:
    """Its counter does not go on from where the other one's is."""
    _, device, _ = with_passkey(app)
    copy = Authenticator(ORIGIN, id=device.id, key=device.key)
    for _ in range(3):
        send(visitor := Visitor(app), device.sign(asked(visitor)))
    send(visitor := Visitor(app), copy.sign(asked(visitor)), 422)


def test_challenges_are_for_one_purpose_and_one_person(app: Flask) -> None:
    _, mine, _ = with_passkey(app)
    other, hers, _ = with_passkey(app, BEN)
    visitor = Visitor(app)
    visitor.post("/login", {"email": ADA, "password": PASSWORD})
    second = options(visitor.get("/login/second"))
    stranger = Visitor(app)
    send(stranger, mine.sign(second), 422)
    for credential in (hers.sign(second), mine.sign(asked(stranger))):
        send(visitor, credential, 422, "/login/second/passkey")
        assert not is_in(visitor)
    assert send(stranger, mine.sign(second), 303, "/login/second/passkey").response.location == "/login"
    send(visitor, mine.sign(second), 303, "/login/second/passkey")
    assert is_in(visitor)
    other.post(KEYS, {"current_password": PASSWORD})
    given = {"name": "x", "credential": Authenticator(ORIGIN).create(options(other.get(KEYS)))}
    visitor.post(KEYS, {"current_password": PASSWORD})
    visitor.post(f"{KEYS}/add", given, status=422)


def test_adding_needs_the_password_and_a_name(app: Flask, learner: Visitor) -> None:
    device = Authenticator(ORIGIN)
    assert not learner.get(KEYS).css("form[data-passkey]")
    assert "not your current" in learner.post(KEYS, {"current_password": "not-mine-at-all"}, status=422).text
    assert not learner.get(KEYS).css("form[data-passkey]")
    assert "Write a name" in add(learner, device, " ", status=422).text
    lazy = Authenticator(ORIGIN, verifies=False)
    assert "was not taken" in add(learner, lazy, status=422).text
    add(learner, device)
    assert "in use already" in add(learner, device, status=422).text
    learner.post(f"{KEYS}/add", {"name": "x", "credential": "{}"}, status=422)
    assert session.execute(text("select count(*) from passkeys")).scalar_one() == 1


def test_removing_the_last_one_needs_a_recovery_code_too(app: Flask) -> None:
    visitor, device, codes = with_passkey(app)
    add(visitor, Authenticator(ORIGIN), "My laptop", status=303)
    first, last = (a.get("href") for a in visitor.get(KEYS).css("li.leaf a"))
    page = visitor.get(first)
    assert not page.css("[name=code]")
    visitor.submit(page, first, {"current_password": "not-mine-at-all"}, status=422)
    visitor.submit(page, first, {"current_password": PASSWORD})
    send(stranger := Visitor(app), device.sign(asked(stranger)), 422)
    page = visitor.get(last)
    assert "your only second factor" in page.text
    visitor.submit(page, last, {"current_password": PASSWORD, "code": "x"}, status=422)
    visitor.submit(page, last, {"current_password": PASSWORD, "code": codes[0]})
    assert is_in(Visitor(app).sign_in(ADA))
    assert session.execute(text("select count(*) from recovery_codes")).scalar_one() == 0
    visitor.get(last, status=404)
    visitor.post(last, {"current_password": PASSWORD}, status=404)


def test_those_of_others_cannot_be_removed(app: Flask, learner: Visitor) -> None:
    other, _, _ = with_passkey(app, BEN)
    [path] = [a.get("href") for a in other.get(KEYS).css("li.leaf a")]
    learner.get(path, status=404)
    learner.post(path, {"current_password": PASSWORD}, status=404)
    assert "My phone" in other.get(KEYS).text


def test_a_bare_ip_address_has_none(app: Flask, learner: Visitor) -> None:
    named = app.extensions["settings"]
    app.extensions["settings"] = named.model_copy(update={"base_url": "http://127.0.0.1:8000"})
    assert seals.passkey_site() is None
    assert not Visitor(app).get("/login").css("form[data-passkey]")
    assert "this one has a bare number for an address" in learner.get(KEYS).text
    learner.post(KEYS, {"current_password": PASSWORD}, status=404)


def owner_form(visitor: Visitor, path: str, action: str, device: Authenticator, status: int = 303) -> Page:
    """The form with the password, and what the browser's script puts in when the code is left empty."""
    page = visitor.get(path)
    given = {"current_password": PASSWORD, "code": "", "credential": device.sign(options(page))}
    return visitor.submit(page, action, given, status=status)


CODES_PAGE = "/settings/security/codes"


def test_without_codes_at_hand_the_passkey_shows_the_owner(app: Flask) -> None:
    visitor, device, codes = with_passkey(app)
    device.verifies = False  # a touch is enough: the password is given too
    renewed = owner_form(visitor, CODES_PAGE, CODES_PAGE, device, 200)
    fresh = [each.text_content() for each in renewed.css("#new-codes code")]
    assert (len(fresh), set(fresh) & set(codes)) == (10, set())
    [link] = [each.get("href") for each in visitor.get(KEYS).css("a[href$=remove]")]
    owner_form(visitor, link, link, device)
    assert "Not set up" in visitor.get("/settings/security").text
    device = Authenticator(ORIGIN)
    assert add(visitor, device, status=200).css("#new-codes code")
    owner_form(visitor, "/settings/data", "/settings/data/erase", device)
    assert "Your receipt" in visitor.get("/goodbye").text
    assert not is_in(visitor)


def test_a_passkey_of_somebody_else_or_for_something_else_shows_nothing(app: Flask) -> None:
    visitor, device, _ = with_passkey(app)
    ben, bens, _ = with_passkey(app, BEN)
    mine = device.sign(options(visitor.get(CODES_PAGE)))
    wrong = {
        "another's challenge": device.sign(options(ben.get(CODES_PAGE))),
        "another's passkey": bens.sign(options(visitor.get(CODES_PAGE))),
        "a sign-in": device.sign(asked(Visitor(app))),
        "rubbish": "{}",
    }
    for what, credential in wrong.items():
        given = {"current_password": PASSWORD, "credential": credential}
        assert "was not taken" in visitor.post(CODES_PAGE, given, status=422).text, what
    no_password = {"current_password": "x", "credential": mine}
    assert "not your current password" in visitor.post(CODES_PAGE, no_password, status=422).text
    visitor.post(CODES_PAGE, {"current_password": PASSWORD, "credential": mine}, status=200)
    again = {"current_password": PASSWORD, "credential": mine}
    assert "was not taken" in visitor.post(CODES_PAGE, again, status=422).text
    nothing = visitor.post(CODES_PAGE, {"current_password": PASSWORD, "credential": ""}, status=422)
    assert "does not fit" in nothing.text


def test_pages_speak_only_of_factors_that_are_there(app: Flask) -> None:
    visitor, _, _ = with_passkey(app)
    assert "From your authenticator app" not in visitor.get(CODES_PAGE).text
    assert "One of the recovery codes that you have." in visitor.get(CODES_PAGE).text
    assert "From your authenticator app" not in visitor.get("/settings/data").text
    setting_up = visitor.get("/settings/security/app").text
    assert "At the end you get ten recovery codes" not in setting_up
    assert "The recovery codes that you have stay good." in setting_up
    make_user(email=BEN)
    assert (
        "At the end you get ten recovery codes"
        in Visitor(app).sign_in(BEN).get("/settings/security/app").text
    )


def test_a_site_without_a_name_offers_no_passkey(app: Flask) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(
        update={"base_url": "http://192.0.2.7"}
    )
    make_user(email=ADA)
    visitor = Visitor(app).sign_in(ADA)
    overview = visitor.get("/settings/security")
    assert "asskey" not in overview.text
    told = visitor.get(KEYS).text
    assert "this one has a bare number for an address" in told
    assert "BASE_URL" not in told + visitor.post(KEYS, {"current_password": PASSWORD}, status=404).text
