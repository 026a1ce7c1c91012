"""Who comes back within the 30 days stays, by whatever way they come in: the page says so, and a mail does."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.accounts import people
from codyverse.core.database import session, unit_of_work
from codyverse.notifications import queries as post
from tests.api.client import Program
from tests.factories import PASSWORD, make_user
from tests.web import test_passkeys as keys
from tests.web.test_passkeys import named
from tests.web.test_providers import Provider, come, provider
from tests.web.visits import Visitor

__all__ = ["named", "provider"]
ADA = "ada@example.org"
STAYS = "Your account stays: by signing in you have called off its erasure."


def ada() -> int:
    return session.execute(text("select id from users where email = :email"), {"email": ADA}).scalar_one()


def ask() -> people.Leaving:
    with unit_of_work():
        return people.ask_erasure(ada())


def words() -> list[str]:
    return [str(mail.context.get("words", "")) for mail in post.kept_mails() if mail.recipient == ADA]


def called_off() -> int:
    assert people.person(ada()).erase_after is None
    return sum("its erasure, which had been asked for, is called off" in each for each in words())


def by_password(app: Flask) -> Visitor:
    make_user(email=ADA)
    ask()
    return Visitor(app).sign_in(ADA)


def by_code(app: Flask) -> Visitor:
    _, _, codes = keys.with_passkey(app)
    ask()
    visitor = Visitor(app)
    visitor.post("/login", {"email": ADA, "password": PASSWORD})
    visitor.post("/login/second", {"code": codes[0]})
    return visitor


def by_passkey(app: Flask) -> Visitor:
    _, device, _ = keys.with_passkey(app)
    ask()
    visitor = Visitor(app)
    keys.send(visitor, device.sign(keys.asked(visitor)))
    return visitor


def by_passkey_after_the_password(app: Flask) -> Visitor:
    _, device, _ = keys.with_passkey(app)
    ask()
    visitor = Visitor(app)
    visitor.post("/login", {"email": ADA, "password": PASSWORD})
    shown = visitor.get("/login/second")
    visitor.submit(shown, "/login/second/passkey", {"credential": device.sign(keys.options(shown))})
    return visitor


@pytest.mark.parametrize("way", [by_password, by_code, by_passkey, by_passkey_after_the_password])
def test_the_page_and_a_mail_say_that_the_account_stays(app: Flask, way: Callable[[Flask], Visitor]) -> None:
    visitor = way(app)
    assert called_off() == 1
    assert STAYS in visitor.get("/dashboard").text
    assert STAYS not in visitor.get("/dashboard").text, "said once"
    again = Visitor(app)
    again.post("/login", {"email": ADA, "password": PASSWORD})
    assert called_off() == 1


def test_by_the_provider(app: Flask, provider: Provider) -> None:
    make_user(email=ADA)
    ask()
    app.extensions["settings"] = app.extensions["settings"].model_copy(
        update={"base_url": "http://127.0.0.1:8000"}
    )
    visitor = Visitor(app)
    come(visitor, provider)
    assert called_off() == 1
    assert STAYS in visitor.get("/dashboard").text


def test_by_a_token_for_a_program(app: Flask) -> None:
    make_user(email=ADA)
    ask()
    given = {"email": ADA, "password": PASSWORD, "name": "mine"}
    told = Program(app).post("/auth/tokens", given, status=201)
    assert "the erasure that you had asked for is called off" in told.json["message"]
    assert called_off() == 1
    assert "called off" not in Program(app).post("/auth/tokens", given, status=201).json["message"]


def test_who_did_not_ask_to_go_hears_nothing(app: Flask) -> None:
    make_user(email=ADA)
    visitor = Visitor(app).sign_in(ADA)
    assert "Your account stays" not in visitor.get("/dashboard").text
    assert words() == []


def test_the_mail_about_an_erasure_carries_its_receipt_and_its_day(app: Flask) -> None:
    make_user(email=ADA)
    visitor = Visitor(app).sign_in(ADA)
    visitor.submit(visitor.get("/settings/data"), "/settings/data/erase", {"current_password": PASSWORD})
    receipt = visitor.get("/goodbye").css(".token-text")[0].text_content()
    [said] = words()
    assert f"receipt is {receipt}:" in said
    when = people.person(ada()).erase_after
    assert when is not None
    assert f"before {when:%Y-%m-%d %H:%M} UTC" in said


def test_by_letter_the_receipt_goes_by_mail_too(app: Flask) -> None:
    make_user(email=ADA)
    session.remove()
    done = app.test_cli_runner().invoke(args=["users", "erase", ADA, "--yes"])
    receipt = re.search(r"Receipt: (\S+)", done.output)
    assert receipt is not None, done.output
    assert receipt.group(1) in words()[0]
