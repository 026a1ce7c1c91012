"""Links by mail: a forgotten password, a confirmed address, another address; used twice, late, by others: refused."""

import json
import re
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from codyverse import jobs, mailing
from codyverse.accounts import tokens
from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.core.telemetry import configure_logs
from codyverse.notifications import queries as post
from tests.api.triggers import app_of
from tests.factories import PASSWORD, make_user
from tests.web.visits import Visitor

ADA, NEW = "ada@example.org", "ada@new.example"
OTHER = "river-comet-fable"
REGISTER = {"display_name": "Grace", "email": "grace@example.org", "password": PASSWORD, "time_zone": "UTC"}


def mails(address: str, kind: str) -> list[str]:
    """The texts of the mails of this kind to this address, newest first."""
    return [
        mailing.write(mail.kind, mail.context).text
        for mail in post.kept_mails()
        if (mail.recipient, mail.kind) == (address, kind)
    ]


def link(address: str, kind: str) -> str:
    """The path of the link in the newest of these mails."""
    found = re.search(r"https?://[^/]+(/\S+)", mails(address, kind)[0])
    assert found
    return found[1]


def forgotten(visitor: Visitor, email: str = ADA) -> str:
    visitor.post("/forgot", {"email": email})
    return link(email, "link_reset")


def signs_in(app: Flask, email: str, password: str) -> bool:
    visitor = Visitor(app)
    fields = {"email": email, "password": password, "csrf_token": visitor.token()}
    return visitor.client.post("/login", data=fields).status_code == 303


# --- a forgotten password ---


def test_from_forgotten_to_a_new_password(app: Flask, visitor: Visitor) -> None:
    make_user(email=ADA)
    phone = Visitor(app).sign_in(ADA)
    [way] = [a for a in visitor.get("/login").css("a") if a.get("href") == "/forgot"]
    page = visitor.get(way.get("href"))
    answer = visitor.submit(page, "/forgot", {"email": "ADA@example.org"})
    told = visitor.get(answer.response.location)
    assert "If ADA@example.org has an account here" in told.text
    path = link(ADA, "link_reset")
    assert "works once, for 30 minutes" in mails(ADA, "link_reset")[0]
    page = visitor.get(path)
    assert page.response.headers["Cache-Control"] == "no-store"
    assert page.response.headers["Referrer-Policy"] == "same-origin", "told to no other site"
    assert "at least 8" in visitor.post(path, {"new_password": "short"}, status=422).text
    visitor.submit(visitor.get(path), path, {"new_password": OTHER})
    assert "all devices are signed out" in visitor.get("/login").text
    assert phone.get("/dashboard").response.request.path == "/login"
    assert signs_in(app, ADA, OTHER)
    assert not signs_in(app, ADA, PASSWORD)
    assert "by a link that was sent to this address" in mails(ADA, "security")[0]


def test_the_answer_is_the_same_for_everybody(app: Flask) -> None:
    make_user(email=ADA)
    seen = set()
    for email in (ADA, "nobody@example.org", "no address", ""):
        visitor = Visitor(app)
        answer = visitor.post("/forgot", {"email": email})
        text_ = visitor.get("/forgot").text.replace(email, "…") if email else None
        seen.add((answer.status, answer.response.location))
        assert text_ is None or "If … has an account here" in text_
    assert len(seen) == 1
    assert {mail.recipient for mail in post.kept_mails()} == {ADA}


def test_a_reset_link_works_once_and_for_half_an_hour(app: Flask, visitor: Visitor) -> None:
    make_user(email=ADA)
    first, late = forgotten(visitor), forgotten(visitor)
    with time_machine.travel(now() + timedelta(minutes=31)):
        assert "This link is over" in visitor.get(late, status=404).text
        visitor.post(late, {"new_password": OTHER}, status=404)
    visitor.post(first, {"new_password": OTHER})
    for path in (first, late):
        visitor.get(path, status=404)
        visitor.post(path, {"new_password": "amber-kettle-moss"}, status=404)
    assert signs_in(app, ADA, OTHER)


def test_a_reset_link_ends_with_the_password(app: Flask, visitor: Visitor) -> None:
    make_user(email=ADA)
    path = forgotten(visitor)
    owner = Visitor(app).sign_in(ADA)
    owner.post("/settings/password", {"current_password": PASSWORD, "new_password": OTHER})
    visitor.post(path, {"new_password": "amber-kettle-moss"}, status=404)
    assert signs_in(app, ADA, OTHER)


def test_keys_open_only_what_they_are_for(app: Flask, visitor: Visitor) -> None:
    visitor.post("/register", REGISTER)
    make_user(email=ADA)
    reset = forgotten(visitor).rpartition("/")[2]
    confirm = link("grace@example.org", "link_confirm").rpartition("/")[2]
    for path in (
        f"/confirm/{reset}",
        f"/reset/{confirm}",
        f"/change-address/{reset}",
        f"/reset/{reset[:-1]}",
    ):
        visitor.get(path, status=404)
        visitor.post(path, {"new_password": OTHER}, status=404)
    assert signs_in(app, ADA, PASSWORD)


def test_a_closed_account_gets_no_link(app: Flask, visitor: Visitor) -> None:
    make_user(email=ADA)
    path = forgotten(visitor)
    app.test_cli_runner().invoke(args=["users", "deactivate", ADA, "--yes"])
    visitor.get(path, status=404)
    visitor.post("/forgot", {"email": ADA})
    assert len(mails(ADA, "link_reset")) == 1


def test_five_links_an_hour_are_the_most(app: Flask, visitor: Visitor) -> None:
    make_user(email=ADA)
    for _ in range(8):
        visitor.post("/forgot", {"email": ADA})
    assert len(mails(ADA, "link_reset")) == 5
    with time_machine.travel(now() + timedelta(minutes=61)):
        visitor.post("/forgot", {"email": ADA})
    assert len(mails(ADA, "link_reset")) == 6


def test_a_second_factor_is_asked_for_after_a_reset_too(app: Flask, visitor: Visitor) -> None:
    code = app_of(make_user(email=ADA, password="a long pass phrase"))
    visitor.post(forgotten(visitor), {"new_password": OTHER})
    answer = visitor.post("/login", {"email": ADA, "password": OTHER})
    assert answer.response.location == "/login/second"
    visitor.post("/login/second", {"code": code})
    assert visitor.get("/dashboard").response.request.path == "/dashboard"


def test_what_a_stranger_set_up_under_an_unconfirmed_address_ends(app: Flask, visitor: Visitor) -> None:
    """Somebody registers with the address of another, sets up an app and a token, and waits for its owner."""
    squatter = Visitor(app)
    squatter.post("/register", REGISTER | {"email": ADA, "password": "a long pass phrase"})
    who = session.execute(text("select id from users")).scalar_one()
    app_of(who)
    with unit_of_work():
        secret, _ = tokens.issue_token(who, "left behind")
    visitor.post(forgotten(visitor), {"new_password": OTHER})
    assert signs_in(app, ADA, OTHER)
    assert visitor.post("/login", {"email": ADA, "password": OTHER}).response.location == "/dashboard"
    assert tokens.principal_for_bearer(secret) is None
    assert session.execute(text("select email_verified_at is not null from users")).scalar_one()


def test_keys_are_neither_in_the_database_nor_in_the_log(
    app: Flask, visitor: Visitor, capfd: pytest.CaptureFixture[str]
) -> None:
    make_user(email=ADA)
    path = forgotten(visitor)
    key = path.rpartition("/")[2]
    for table in ("one_time_keys", "mails"):
        rows = session.execute(text(f"select t::text from {table} t")).scalars().all()
        assert rows
        assert not [row for row in rows if key in row]
    configure_logs("INFO", "json")
    try:
        visitor.client.get(path)
    finally:
        configure_logs("WARNING", "text")
    said = capfd.readouterr().err
    [line] = [json.loads(each) for each in said.splitlines() if '"request"' in each]
    assert line["path"] == "/reset/<key>"
    assert key not in said


def test_keys_that_are_over_are_forgotten(app: Flask, visitor: Visitor) -> None:
    make_user(email=ADA)
    forgotten(visitor)
    count = text("select count(*) from one_time_keys")
    jobs.run("forget")
    assert session.execute(count).scalar_one() == 1
    with time_machine.travel(now() + timedelta(days=2)):
        assert "links that are over (1)" in jobs.run("forget")
    assert session.execute(count).scalar_one() == 0


# --- addresses ---


def test_a_new_account_confirms_its_address(app: Flask, visitor: Visitor) -> None:
    visitor.post("/register", REGISTER)
    visitor.sign_in("grace@example.org")
    assert "not confirmed yet" in visitor.get("/settings/security").text
    path = link("grace@example.org", "link_confirm")
    page = visitor.get(path)
    assert "grace@example.org" in page.text
    assert "not confirmed yet" in visitor.get("/settings/security").text, (
        "looking at the link changes nothing"
    )
    visitor.submit(page, path)
    assert "grace@example.org, confirmed" in visitor.get("/settings/security").text
    visitor.get(path, status=404)
    visitor.post(path, status=404)


def test_a_taken_address_is_told_to_its_owner_only(app: Flask) -> None:
    make_user(email=ADA)
    for _ in range(3):
        Visitor(app).post("/register", REGISTER | {"email": "ADA@example.org"})
    [told] = mails(ADA, "address_taken")
    assert "you have one already" in told
    assert session.execute(text("select count(*) from users")).scalar_one() == 1


def test_a_link_to_confirm_is_sent_again_five_times_a_day(app: Flask, visitor: Visitor) -> None:
    visitor.post("/register", REGISTER)
    visitor.sign_in("grace@example.org")
    first = link("grace@example.org", "link_confirm")
    for _ in range(4):
        visitor.submit(visitor.get("/settings/address"), "/settings/address/confirm")
    assert "were sent today" in visitor.post("/settings/address/confirm", status=409).text
    with time_machine.travel(now() + timedelta(days=3, minutes=1)):
        visitor.get(first, status=404)


def test_unconfirmed_addresses_get_no_other_mail(app: Flask, visitor: Visitor) -> None:
    visitor.post("/register", REGISTER)
    visitor.sign_in("grace@example.org")
    visitor.post("/settings/password", {"current_password": PASSWORD, "new_password": OTHER})
    assert {mail.kind for mail in post.kept_mails()} == {"link_confirm"}


@pytest.mark.parametrize(
    "order", [("link_change_from", "link_change_to"), ("link_change_to", "link_change_from")]
)
def test_another_address_is_confirmed_at_both(app: Flask, learner: Visitor, order: tuple[str, str]) -> None:
    page = learner.get("/settings/address")
    wrong = {"email": NEW, "current_password": "not-mine-at-all"}
    assert "not your current" in learner.post("/settings/address", wrong, status=422).text
    learner.submit(page, "/settings/address", wrong | {"current_password": PASSWORD})
    where = {"link_change_from": ADA, "link_change_to": NEW}
    assert NEW in mails(ADA, "link_change_from")[0]
    anywhere = Visitor(app)
    paths = [link(where[kind], kind) for kind in order]
    assert NEW in anywhere.get(paths[0]).text
    anywhere.submit(anywhere.get(paths[0]), paths[0])
    assert "the other mailbox" in anywhere.get("/login").text
    assert signs_in(app, ADA, PASSWORD), "one of them is not enough"
    anywhere.post(paths[0], status=404)
    anywhere.post(paths[1])
    assert signs_in(app, NEW, PASSWORD)
    assert not signs_in(app, ADA, PASSWORD)
    assert f"{NEW}, confirmed" in learner.get("/settings/security").text
    assert "The address of your account was changed" in mails(ADA, "security")[0]


def test_a_taken_address_looks_like_any_other(app: Flask, learner: Visitor) -> None:
    make_user(email=NEW)
    page = learner.post("/settings/address", {"email": NEW, "current_password": PASSWORD})
    assert page.response.location == "/settings/address"
    assert not mails(NEW, "link_change_to")
    learner.post(link(ADA, "link_change_from"))
    assert signs_in(app, ADA, PASSWORD)


def test_an_address_that_is_taken_meanwhile(app: Flask, learner: Visitor) -> None:
    learner.post("/settings/address", {"email": NEW, "current_password": PASSWORD})
    make_user(email=NEW.upper())
    learner.post(link(ADA, "link_change_from"))
    page = learner.post(link(NEW, "link_change_to"), status=409)
    assert "Somebody else has taken this address" in page.text
    assert signs_in(app, ADA, PASSWORD)


def test_the_last_wish_counts_and_ends_with_the_password(app: Flask, learner: Visitor) -> None:
    ask = {"current_password": PASSWORD}
    learner.post("/settings/address", ask | {"email": NEW})
    old = [link(ADA, "link_change_from"), link(NEW, "link_change_to")]
    learner.post("/settings/address", ask | {"email": "third@example.org"})
    for path in old:
        learner.post(path, status=404)
    paths = [link(ADA, "link_change_from"), link("third@example.org", "link_change_to")]
    learner.post("/settings/password", ask | {"new_password": OTHER})
    for path in paths:
        learner.post(path, status=404)
    late = {"email": NEW, "current_password": OTHER}
    learner.post("/settings/address", late)
    with time_machine.travel(now() + timedelta(days=1, minutes=1)):
        Visitor(app).post(link(NEW, "link_change_to"), status=404)


@pytest.mark.parametrize(
    ("email", "says"), [(ADA, "your address already"), ("x", "Write an e-mail"), ("", "Write an")]
)
def test_what_cannot_be_an_address(learner: Visitor, email: str, says: str) -> None:
    page = learner.post("/settings/address", {"email": email, "current_password": PASSWORD}, status=422)
    assert says in page.text
    assert page.field("email").get("value") == email


# --- sessions ---


def test_devices_are_listed_and_ended_one_by_one(app: Flask) -> None:
    make_user(email=ADA)
    here = Visitor(app).sign_in(ADA)
    phone = Visitor(app)
    phone.client.environ_base["HTTP_USER_AGENT"] = (
        "Mozilla/5.0 (Android 14; Mobile) Gecko/120.0 Firefox/120.0"
    )
    phone.sign_in(ADA)
    page = here.get("/settings/security/sessions")
    assert "Firefox on Android" in page.text
    assert len(page.css("li.leaf")) == 2
    [form] = [
        each.cssselect("form")[0].get("action")
        for each in page.css("li.leaf")
        if "Android" in each.text_content()
    ]
    here.submit(page, form)
    assert phone.get("/dashboard").response.request.path == "/login"
    assert here.get("/dashboard").response.request.path == "/dashboard"
    here.post(form)
    here.post("/settings/security/sessions/999999/end", status=404)


def test_all_others_are_ended_and_this_one_stays(app: Flask) -> None:
    make_user(email=ADA)
    here, one, two = (Visitor(app).sign_in(ADA) for _ in range(3))
    here.submit(here.get("/settings/security/sessions"), "/settings/security/sessions/others/end")
    assert one.get("/dashboard").response.request.path == "/login"
    assert two.get("/dashboard").response.request.path == "/login"
    page = here.get("/settings/security/sessions")
    [form] = page.css("li.leaf form")
    here.submit(page, form.get("action"))
    assert here.get("/dashboard").response.request.path == "/login"


def test_sessions_of_others_cannot_be_ended(app: Flask, learner: Visitor, other: Visitor) -> None:
    hers = other.get("/settings/security/sessions").css("li.leaf form")[0].get("action")
    learner.post(hers, status=404)
    assert other.get("/dashboard").response.request.path == "/dashboard"


def test_when_a_device_was_used_last_is_noted_once_an_hour(app: Flask, learner: Visitor) -> None:
    seen = text("select last_seen_at from sessions")
    first = session.execute(seen).scalar_one()
    learner.get("/dashboard")
    assert session.execute(seen).scalar_one() == first
    with time_machine.travel(now() + timedelta(hours=2), tick=False):
        learner.get("/dashboard")
        assert session.execute(seen).scalar_one() == now()


# --- a public site without a mail server ---


def test_a_site_that_sends_no_mail_promises_none(
    app: Flask, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = app.extensions["settings"].model_copy(update={"environment": "staging"})
    monkeypatch.setitem(app.extensions, "settings", public)
    visitor.post("/register", REGISTER)
    welcome = visitor.get("/login")
    assert "Now sign in" in welcome.text
    assert "on its way" not in welcome.text
    visitor.sign_in("grace@example.org")
    address = visitor.get("/settings/address")
    assert "sends no mail" in address.text
    assert not address.css("main form")
    assert "sends no mail" in visitor.get("/notifications/settings").text
