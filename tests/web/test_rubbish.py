"""Rubbish in every field of every form: a clear answer, nothing broken, nothing stored, nothing of other people shown.

The list of forms in `rubbish.py` is held complete here, by the routes and by the forms on the pages.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pyotp
import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from codyverse.accounts import one_time, second_factor, sessions, tokens
from codyverse.core.clock import now
from codyverse.core.database import db, session, unit_of_work
from codyverse.gamification import shop
from codyverse.http import seals
from codyverse.notifications import queries as news
from codyverse.notifications import services as notifications
from codyverse.progress.services import save_draft
from tests.authenticator import Authenticator
from tests.domains.gamification.test_shop import give
from tests.domains.study import Plan, answer_all, make_course, start
from tests.factories import PASSWORD, make_user
from tests.web.playing import Playing, Step, make_tea
from tests.web.rubbish import (
    FORMS,
    HALF,
    KINDS,
    LEARNER,
    OTHERS,
    RUBBISH,
    SECURED,
    SEVERAL,
    STRANGER,
    TABLES,
    bare,
)
from tests.web.visits import HTMX, Page, Visitor, checked

FORM = "application/x-www-form-urlencoded"
HAL = "hal@example.org"
ORIGIN = "https://learn.example.org"
DEVICE = Authenticator(ORIGIN)
PASSKEYS = "/settings/security/passkeys"
SHOWN = {"HTML", "header"}
SHOWN_ON = {
    "accounts": "/settings",
    "tokens": "/settings/tokens",
    "profiles": "/settings/public",
    "notifications": "/notifications/settings",
    "second_factor": "/settings/security/app",
    "security": "/settings/address",
    "recovery": "/forgot",
    "data": "/settings/data",
    "passkeys": "/settings/security/passkeys",
}


@dataclass
class Place:
    """Two learners at the same lesson; everything sent here is looked at and undone again."""

    app: Flask
    playing: Playing
    finished: Playing
    cookies: dict[str, tuple[str, str]]
    things: dict[str, Any]
    codes: dict[str, dict[str, str]]

    @cached_property
    def steps(self) -> dict[str, Step]:
        return {step.kind: step for step in self.playing.steps}

    @cached_property
    def before(self) -> dict[str, str]:
        return written()

    def path(self, endpoint: str, kind: str) -> str:
        """The route's path: reading the intro, answering the step of this kind, completing what is answered."""
        play = self.finished if endpoint == "lessons.complete" else self.playing
        step = self.steps["teach" if endpoint == "lessons.read" else kind]
        wanted = next(rule for rule in self.app.url_map.iter_rules() if rule.endpoint == endpoint).arguments
        values = (
            self.things
            | self.things.get(endpoint, {})
            | {"lesson_id": play.lesson_id, "step_id": step.step_id}
        )
        with self.app.test_request_context():
            return url_for(endpoint, **{name: values[name] for name in wanted})

    def fields(self, endpoint: str, kind: str) -> dict[str, Any]:
        """A right sending."""
        names = FORMS[endpoint].fields
        given = {"try_no": "1", "hint_no": "1", "attempt_id": str(self.finished.attempt_id)}
        given |= self.code(endpoint)
        given |= {"kind": kind} if "answer" in names else {}
        whole = {name: given.get(name, value) for name, value in names.items() if name in given or value}
        return whole | (self.playing.fields(self.steps[kind]) if "answer" in names else {})

    def code(self, endpoint: str) -> dict[str, str]:
        """A code that this route takes now, if it takes one; what a browser with a passkey answers to its page."""
        kept = self.codes.get(endpoint, {})
        if "path" in kept:
            page = checked(self.client(FORMS[endpoint].who).get(kept["path"]))
            [form] = page.css("form[data-passkey]")
            makes = form.get("data-passkey") == "create"
            device = (
                Authenticator(ORIGIN)
                if makes
                else Authenticator(ORIGIN, id=DEVICE.id, key=DEVICE.key, counts=9)
            )
            answer = device.create if makes else device.sign
            return {"credential": answer(form.get("data-options"))}
        return {"code": pyotp.TOTP(kept["secret"]).now()} if "secret" in kept else kept

    def client(self, who: str) -> FlaskClient:
        """A browser of this person, as if nothing had been sent yet."""
        client = self.app.test_client()
        client.set_cookie("codyverse", self.cookies[who][0])
        return client

    def send(self, endpoint: str, kind: str, data: Any, *, look: bool = False, **more: Any) -> TestResponse:
        """Send it with a valid token, see what was written and shown, and undo it."""
        form = FORMS[endpoint]
        client, path, before = self.client(form.who), self.path(endpoint, kind), self.before
        headers = {"X-CSRFToken": self.cookies[form.who][1]} | more.pop("headers", {})
        with undone():
            response = client.post(path, data=data, headers=headers, **({"content_type": FORM} | more))
            changed = {name for name, state in written().items() if before[name] != state}
            htmx = "HX-Request" in headers
            clear(response, whole=not htmx)
            if response.status_code >= 400:
                assert changed == set()
                return response
            assert response.status_code == (200 if htmx and form.right == 303 else form.right)
            assert changed <= form.writes
            if look:
                step = f"/lessons/{self.playing.lesson_id}?step={self.steps[kind].position}"
                clear(client.get(SHOWN_ON.get(endpoint.partition(".")[0], step)), whole=True)
        return response


def clear(response: TestResponse, *, whole: bool) -> None:
    """The answer is one that a person can understand, and holds nothing of others, nothing of the inside."""
    assert response.status_code < 500
    page = checked(response, whole=whole and response.status_code not in {204, 303})
    for strange in ("<script>alert", "<img src=x", *OTHERS, "Traceback", "psycopg", "sqlalchemy"):
        assert strange not in response.text
    assert not [value for name, value in response.headers if name == "Set-Cookie" and "stolen" in value]
    if response.status_code >= 400:
        assert page.css("[role=alert], .lead, #fault" if whole else "[data-trouble], #fault")


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is written meanwhile is taken back."""
    session.remove()
    nested = db.engine.begin_nested()
    try:
        yield
    finally:
        session.remove()
        nested.rollback()


def written() -> dict[str, str]:
    """A checksum of each table."""
    sums = ", ".join(
        f"(select count(*) || ':' || coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {name} t) as {name}"
        for name in TABLES
    )
    row = session.execute(text(f"select {sums}")).one()
    session.remove()
    return dict(row._asdict())


@pytest.fixture
def named(app: Flask) -> Iterator[None]:
    """The site has a name, as passkeys need."""
    kept = app.extensions["settings"]
    app.extensions["settings"] = kept.model_copy(update={"base_url": ORIGIN})
    yield
    app.extensions["settings"] = kept


@pytest.fixture
def place(app: Flask, tmp_path: Path, named: None) -> Iterator[Place]:
    lesson = make_tea(tmp_path)
    [done] = make_course(Plan(asks=1))
    ada, ben = make_user(email="ada@example.org"), make_user(email="benedetta@example.org", name="Benedetta")
    visitor, stranger = Visitor(app).sign_in("ada@example.org"), Visitor(app)
    start(ada, lesson)
    answer_all(ada, start(ada, done))
    answer_all(ben, start(ben, done))
    attempt = start(ben, lesson)
    gap = text("select step_id from step_revisions where kind = 'blank'")
    with unit_of_work():
        save_draft(ben, attempt, session.scalars(gap).one(), ["words of hers"])
    cookies = {}
    for who, browser, path in (
        (STRANGER, stranger, "/login"),
        (LEARNER, visitor, f"/lessons/{lesson}?step=2"),
    ):
        csrf = browser.get(path).field("csrf_token").get("value")
        cookies[who] = (browser.client.get_cookie("codyverse").value, csrf)
    things = possessions(ada) | keys(ada)
    codes = second_factors(app, ada, cookies)
    things["passkey_id"] = session.execute(text("select id from passkeys")).scalar_one()
    playing, finished = (Playing(visitor, "ada@example.org", each) for each in (lesson, done))
    made = Place(app, playing, finished, cookies, things, codes)
    yield made
    assert written() == made.before


def possessions(who: int) -> dict[str, Any]:
    """What the other forms are about: coins and a scarf, a notification, mails that can be ended, a program's token."""
    give(who, coins=300, xp=150)
    with unit_of_work():
        shop.purchase(who, "scarf", "bought-before")
        notifications.tell("level", "level:2", {"level": 2, "name": "Beginner", "gems": 2}, [who], now())
        _, access_token = tokens.issue_token(who, "made before")
        notifications.choose(who, page_off=(), mail_kinds=["level"], mail_hour=9, quiet=None)
    [line] = news.listing(who, frozenset(), 2**62, 9, unread_only=True).lines
    return {
        "item": "glasses",
        "notification_id": line.id,
        "token": news.choices(who).unsubscribe_token,
        "token_id": access_token.id,
    }


def keys(who: int) -> dict[str, Any]:
    """Keys of links, by the route that they open, and another session of the same person."""
    to = {"to": "ada@example.org", "change": "a"}
    with unit_of_work():
        made = {
            f"recovery.{name}": {"key": one_time.make(who, purpose, timedelta(minutes=20), to)}
            for name, purpose in (("reset", "reset"), ("confirm", "confirm"), ("change", "change_from"))
        }
        sessions.open_session(who, "another browser")
    return made | {"session_id": sessions.sessions_of(who)[0].id}


def second_factors(app: Flask, ada: int, cookies: dict[str, tuple[str, str]]) -> dict[str, dict[str, str]]:
    """Ada is setting up an app; Hal has one, and a browser each before and after his second step. Codes by route."""
    hal, seal = make_user(email=HAL, name="Hal"), seals.second_factors()
    with unit_of_work():
        for who in (ada, hal):
            second_factor.begin_app(who, PASSWORD, seal)
    secrets = {who: second_factor.waiting_secret(who, seal) or "" for who in (ada, hal)}
    with unit_of_work():
        codes = second_factor.confirm_app(hal, pyotp.TOTP(secrets[hal]).now(), seal)
    before, after = Visitor(app), Visitor(app)
    for visitor in (before, after):
        visitor.post("/login", {"email": HAL, "password": PASSWORD})
    after.post("/login/second", {"code": codes[0]})
    for _ in range(2):
        after.post(PASSKEYS, {"current_password": PASSWORD})
        page = after.get(PASSKEYS)
        if not page.css("li.leaf"):
            given = DEVICE.create(page.css("form[data-passkey]")[0].get("data-options"))
            after.submit(page, f"{PASSKEYS}/add", {"name": "My phone", "credential": given})
    for name, visitor, path in ((HALF, before, "/login/second"), (SECURED, after, "/settings/address")):
        csrf = visitor.get(path).field("csrf_token").get("value")
        cookies[name] = (visitor.client.get_cookie("codyverse").value, csrf)
    other = {f"second_factor.{name}": {"code": codes[1]} for name in ("check", "turn_off", "renew")}
    other |= {
        f"passkeys.{name}": {"path": path}
        for name, path in (("sign_in", "/login"), ("second", "/login/second"), ("add", PASSKEYS))
    }
    return other | {"second_factor.confirm": {"secret": secrets[ada]}}


def body(fields: dict[str, Any]) -> bytes:
    """The fields as a browser sends them; bytes stay as they are."""
    pairs = [
        (name, each)
        for name, value in fields.items()
        for each in (value if isinstance(value, list) else [value])
    ]
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs).encode()


def chosen(fields: dict[str, Any], kind: str = KINDS[0]) -> list[str]:
    """One field of each sort; what every kind of exercise has is looked at once."""
    names = {bare(name): name for name in fields}
    return [name for sort, name in names.items() if kind == KINDS[0] or sort not in {"kind", "try_no"}]


def test_the_list_of_forms_is_complete(app: Flask, place: Place) -> None:
    """By the routes; and by the forms on the pages, whose fields must all be in the list."""
    posts = {rule.endpoint for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}
    posts = {endpoint for endpoint in posts if not endpoint.startswith("api.")}  # they read no forms
    assert posts == set(FORMS)
    adapter = app.url_map.bind("localhost")
    found: dict[str, set[str]] = {}
    stranger, learner = Visitor(app), place.playing.visitor
    lesson, done = f"/lessons/{place.playing.lesson_id}", f"/lessons/{place.finished.lesson_id}"
    pages = [stranger.get("/register"), stranger.get("/login?next=/courses"), learner.get("/settings")]
    pages.append(learner.get("/settings/tokens"))
    pages += [learner.get(f"{lesson}?step={step.position}") for step in place.playing.steps]
    pages += [learner.get(path) for path in ("/shop", "/goals", "/leaderboard", "/notifications")]
    pages += [learner.get(path) for path in ("/notifications/settings", "/settings/public")]
    pages.append(stranger.get(f"/mails/unsubscribe/{place.things['token']}"))
    pages += security_pages(place, stranger, learner)
    with undone():
        learner.post("/leaderboard/join")
        pages.append(learner.get("/leaderboard"))
    with undone():
        place.finished.send(place.finished.steps[0], "read", {})
        pages.append(learner.get(done))
        place.finished.complete()
        pages.append(learner.get(done))
    for page in pages:
        for form in page.css("form[method=post]"):
            names = {bare(element.get("name")) for element in form.cssselect("[name]")} - {"csrf_token"}
            ways = [form.get("action"), *(each.get("formaction") for each in form.cssselect("[formaction]"))]
            ways += [each.get("hx-post") for each in form.cssselect("[hx-post]")]
            for way in ways:
                found.setdefault(adapter.match(way, method="POST")[0], set()).update(names)
    assert set(found) == set(FORMS)
    for endpoint, names in found.items():
        assert names - {"hint_no"} <= set(FORMS[endpoint].fields), endpoint


def security_pages(place: Place, stranger: Visitor, learner: Visitor) -> list[Page]:
    """The pages of signing in, in each of their states."""
    pages = [
        learner.get(f"/settings/{path}") for path in ("security/app", "security/sessions", "address", "data")
    ]
    pages.append(stranger.get("/forgot"))
    for name, path in (("reset", "reset"), ("confirm", "confirm"), ("change", "change-address")):
        pages.append(stranger.get(f"/{path}/{place.things[f'recovery.{name}']['key']}"))
    for who, paths in (
        (HALF, ["/login/second"]),
        (
            SECURED,
            [
                "/settings/security/app",
                "/settings/security/codes",
                PASSKEYS,
                f"{PASSKEYS}/{place.things['passkey_id']}/remove",
            ],
        ),
    ):
        visitor = Visitor(place.app)
        visitor.client = place.client(who)
        pages += [visitor.get(path) for path in paths]
    pages.append(learner.get(PASSKEYS))
    with undone():
        learner.post("/settings/security/app/stop")
        pages.append(learner.get("/settings/security/app"))
    with undone():
        with unit_of_work():
            session.execute(text("update users set email_verified_at = null"))
        pages.append(learner.get("/settings/address"))
    return pages


@pytest.mark.parametrize("endpoint", FORMS)
def test_rubbish(place: Place, endpoint: str) -> None:
    form = FORMS[endpoint]
    for kind in KINDS if endpoint in {"lessons.answer", "lessons.draft"} else KINDS[:1]:
        right = place.fields(endpoint, kind)
        assert place.send(endpoint, kind, body(right)).status_code == form.right
        for name in chosen(right, kind):
            for what, value in RUBBISH.items():
                response = place.send(endpoint, kind, body(right | {name: value}), look=what in SHOWN)
                told = f"{kind} {name}: {what}: {response.status_code}"
                assert (response.status_code < 400) == form.takes(kind, name, what), told
            missing = place.send(endpoint, kind, body({each: right[each] for each in right if each != name}))
            assert (missing.status_code < 400) == form.takes(kind, name, "missing"), f"{kind} {name}"


def test_rubbish_by_htmx(place: Place) -> None:
    form = FORMS["lessons.answer"]
    for kind in KINDS:
        right = place.fields("lessons.answer", kind)
        assert place.send("lessons.answer", kind, body(right), headers=HTMX).status_code == 200
        for name in chosen(right, kind):
            for what in ("empty", "10 MB", "NUL", "HTML", "huge", "invalid UTF-8"):
                response = place.send(
                    "lessons.answer", kind, body(right | {name: RUBBISH[what]}), headers=HTMX
                )
                told = f"{kind} {name}: {what}: {response.status_code}"
                assert (response.status_code < 400) == form.takes(kind, name, what), told


def test_fields_twice_count_by_the_first(place: Place) -> None:
    for endpoint, form in FORMS.items():
        right = place.fields(endpoint, "choice")
        for name in chosen(right):
            value = right[name][0] if isinstance(right[name], list) else right[name]
            first = place.send(endpoint, "choice", body(right | {name: [value, RUBBISH["SQL"]]}))
            second = place.send(endpoint, "choice", body(right | {name: [RUBBISH["SQL"], value]}))
            single = place.send(endpoint, "choice", body(right | {name: RUBBISH["SQL"]}))
            assert second.status_code == single.status_code, (endpoint, name)
            assert first.status_code == (single.status_code if name in SEVERAL else form.right), (
                endpoint,
                name,
            )


def multipart(*parts: tuple[str, bytes]) -> bytes:
    """A body in several parts, with the boundary x."""
    texts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in parts
    ]
    return b"".join(texts) + b"--x--\r\n"


def test_wrong_content_types(place: Place) -> None:
    """Nothing is read from them: each is like a form without a field, files are no text."""
    parts = "multipart/form-data; boundary=x"
    for endpoint, form in FORMS.items():
        right = place.fields(endpoint, "choice")
        nothing = place.send(endpoint, "choice", b"").status_code
        needless = form.alone or all(form.takes("choice", name, "missing") for name in right)
        assert (nothing < 400) == needless, endpoint
        for data, content_type in [
            (json.dumps(right).encode(), "application/json"),
            (b'{"broken', "application/json"),
            (b"[1, 2]", "application/json"),
            (json.dumps({name: {"a": [1, None, "\x00"]} for name in right}).encode(), "application/json"),
            (body(right), "text/plain"),
            (body(right), ""),
            (body(right), "application/x-www-form-urlencoded-not"),
            (body(right), "multipart/form-data"),
            (b"--x\r\n\r\nno end", parts),
            (b"\xff" * 1000, "application/octet-stream"),
        ]:
            response = place.send(endpoint, "choice", data, content_type=content_type)
            assert response.status_code in {nothing, 400, 413, 415}, (endpoint, content_type)
        crowd = multipart(*((f"n{number}", b"1") for number in range(1500)))
        assert place.send(endpoint, "choice", crowd, content_type=parts).status_code == 413
        if right:
            files = {name: (BytesIO(b"a file"), "file.txt") for name in right}
            response = place.send(endpoint, "choice", files, content_type="multipart/form-data")
            assert response.status_code == nothing, endpoint
            mangled = multipart(*((name, b"\xff\xfe") for name in right))
            response = place.send(endpoint, "choice", mangled, content_type=parts)
            assert (response.status_code, "cannot be read" in response.text) == (400, True), endpoint


def test_a_token_that_is_none(place: Place) -> None:
    for endpoint in (name for name, form in FORMS.items() if form.token):
        right = place.fields(endpoint, "choice")
        for what in ("empty", "10 MB", "NUL", "emoji", "HTML", "huge", "invalid UTF-8"):
            data = body(right | {"csrf_token": RUBBISH[what]})
            response = place.send(endpoint, "choice", data, headers={"X-CSRFToken": ""})
            assert response.status_code == (413 if what == "10 MB" else 400), (endpoint, what)


def test_names_of_fields_that_are_none(place: Place) -> None:
    """Fields that the question has not got, by the thousand, and with the ids of another learner's options."""
    hers = Playing(place.playing.visitor, "benedetta@example.org", place.playing.lesson_id)
    sorts = ("blank", "match", "position", "indent")
    strange = {f"{sort}-{tail}": "1" for sort in sorts for tail in ("", "-1", "é", "9" * 50)}
    many = {f"{sort}-{number}": "1" for sort in ("match", "blank", "indent") for number in range(2000)}
    places = {f"position-{number}": str(number + 1) for number in range(2000)}
    for kind in KINDS:
        right = place.fields("lessons.answer", kind)
        own = {name: right[name] for name in ("kind", "try_no")}
        other = hers.fields(place.steps[kind]) if kind != "blank" else {"blank-77": "x"}
        assert place.send("lessons.answer", kind, body(own | other)).status_code == 422
        picks = kind in {"choice", "choices"}
        for fields in (strange, many, places):
            response = place.send("lessons.answer", kind, body(right | fields))
            assert response.status_code in ({303} if picks else {303, 422}), kind
            assert place.send("lessons.draft", kind, body(right | fields)).status_code == 204
        answered = place.send("lessons.answer", kind, body(right | {"answer": ["x", "y"], "unheard": "of"}))
        assert answered.status_code == (422 if picks else 303), kind


def test_ids_that_are_of_others_or_of_nothing(place: Place) -> None:
    """Whatever stands in the address or names an attempt: of another lesson, of another learner, of nobody."""
    learner, lesson, done = place.playing.visitor, place.playing.lesson_id, place.finished.lesson_id
    step, foreign = place.steps["choice"].step_id, place.finished.steps[1].step_id
    hers = session.scalars(
        text(
            "select a.id from attempts a join users u on u.id = a.user_id where u.email = 'benedetta@example.org'"
        )
    ).all()
    session.remove()
    for path, status in [
        (f"/lessons/{lesson}/steps/{foreign}/", 404),
        (f"/lessons/{done}/steps/{step}/", 404),
        (f"/lessons/{lesson}/steps/{2**63 - 1}/", 404),
        (f"/lessons/{lesson}/steps/{2**63}/", 404),
        (f"/lessons/{lesson}/steps/0/", 404),
        (f"/lessons/{lesson}/steps/-1/", 404),
        (f"/lessons/{lesson}/steps/1e3/", 404),
        (f"/lessons/999999/steps/{step}/", 404),
    ]:
        for act in ("read", "answer", "hint", "draft"):
            fields = {"kind": "choice", "try_no": "1", "hint_no": "1", "answer": "x"}
            with undone():
                page = learner.post(path + act, fields, status=status)
                clear(page.response, whole=True)
                assert written() == place.before
    for attempt in [*hers, 999_999, 2**62, 2**64]:
        with undone():
            clear(
                learner.post(f"/lessons/{done}/complete", {"attempt_id": str(attempt)}, status=404).response,
                whole=True,
            )
            assert written() == place.before
        clear(learner.get(f"/lessons/{done}/attempts/{attempt}", status=404).response, whole=True)


def test_rubbish_in_addresses_headers_and_cookies(place: Place) -> None:
    lesson = place.playing.lesson_id
    paths = [
        "/ledger?before={}",
        "/ledger?currency={}",
        f"/lessons/{lesson}?step={{}}",
        "/courses/{}",
        "/login?next={}",
        "/ledger?rule={}",
        "/goals?before={}",
        "/progress?month={}",
        "/leaderboard?period={}",
        "/notifications?before={}",
        "/notifications?show={}",
        "/notifications/bell?after={}",
        "/u/{}",
        "/mails/unsubscribe/{}",
        "/login/second?next={}",
        "/reset/{}",
        "/confirm/{}",
        "/change-address/{}",
        "/{}",
    ]
    client = place.client(LEARNER)
    for what, value in RUBBISH.items():
        if what in {"10 MB", "long"}:
            continue
        for path in paths:
            response = client.get(path.format(quote_plus(value)))
            whole = response.status_code not in {302, 308} and "/bell" not in path
            clear(response, whole=whole or response.status_code >= 400)
        line = (
            (value if isinstance(value, bytes) else value.encode())
            .decode("latin-1")
            .translate({0: None, 10: None, 13: None})
        )
        for name in (
            "X-Request-Id",
            "HX-Request",
            "HX-Request-Type",
            "Referer",
            "User-Agent",
            "Accept-Language",
            "If-None-Match",
        ):
            response = client.get("/dashboard", headers={name: line})
            assert response.status_code == 200, (name, what)
            assert re.fullmatch(r"[A-Za-z0-9_.-]{8,64}", response.headers["X-Request-Id"])
        thief = place.app.test_client()
        thief.set_cookie("codyverse", line.strip() or "x")
        assert thief.get("/dashboard").status_code == 303
