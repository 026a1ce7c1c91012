"""The stream, spoken to as a server speaks to it, on a real database that tells of news by itself."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

import codyverse.stream as streaming
from codyverse.accounts import queries as people
from codyverse.accounts import services as accounts
from codyverse.accounts import tokens
from codyverse.core.clock import now
from codyverse.core.database import db, unit_of_work
from codyverse.gamification import shop
from codyverse.notifications import queries, services
from codyverse.stream import API_PATH, PATH, Streams
from tests.api.client import TIME, token_for
from tests.domains.gamification.test_shop import give
from tests.factories import make_user
from tests.waiting import PATIENCE_S
from tests.web.visits import Visitor


@dataclass
class Caller:
    """A browser's request for the stream: what it sends, what it has got so far."""

    streams: Streams
    cookie: str = ""
    after: str = ""
    last_event_id: str = ""
    method: str = "GET"
    path: str = PATH
    authorization: str = ""
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    text: str = ""
    ended: bool = False

    def __post_init__(self) -> None:
        self._gone = asyncio.Event()
        headers = [(b"cookie", self.cookie.encode())] if self.cookie else []
        if self.last_event_id:
            headers.append((b"last-event-id", self.last_event_id.encode()))
        if self.authorization:
            headers.append((b"authorization", self.authorization.encode()))
        query = f"after={self.after}".encode()
        scope = {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "headers": headers,
            "query_string": query,
        }
        self.task = asyncio.create_task(self.streams.asgi(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.text += message["body"].decode()
            self.ended = not message["more_body"]

    def leave(self) -> None:
        self._gone.set()

    async def until(self, what: str) -> str:
        await until(lambda: what in self.text)
        return self.text

    @property
    def news(self) -> list[str]:
        return [part.splitlines()[0] for part in self.text.split("\n\n") if "event: news" in part]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
def app(committed_app: Flask) -> Flask:
    make_user(email="ada@example.org")
    make_user(email="ben@example.org", name="Ben")
    return committed_app


def cookie_of(app: Flask, email: str) -> str:
    visitor = Visitor(app).sign_in(email)
    found = visitor.client.get_cookie("codyverse")
    assert found
    return f"codyverse={found.value}"


def tell(email: str, number: int) -> None:
    with unit_of_work():
        details = {"level": number, "name": "Student", "gems": number}
        who = people.account_by_email(email).id
        services.tell("level", f"level:{number}", details, [who], now())


def state(email: str) -> str:
    who = people.account_by_email(email).id
    from codyverse.notifications.queries import states

    return states([who])[who]


def run(app: Flask, act: Callable[[Streams], Awaitable[None]]) -> None:
    async def whole() -> None:
        streams = Streams(app)
        streams.begin()
        try:
            await asyncio.wait_for(streams.hears.wait(), PATIENCE_S)
            await asyncio.sleep(0.1)
            await act(streams)
        finally:
            await streams.end()

    with ThreadPoolExecutor(1) as aside:  # the browser's driver may hold an event loop in this thread
        aside.submit(copy_context().run, asyncio.run, whole()).result()


async def listening(streams: Streams, cookie: str, **more: str) -> Caller:
    caller = Caller(streams, cookie, **more)
    await until(lambda: caller.text != "" or caller.ended)
    if caller.status != 200:
        await until(lambda: caller.ended)
    return caller


def test_news_reach_every_page_of_theirs_and_nobody_elses(app: Flask) -> None:
    ada, ben = cookie_of(app, "ada@example.org"), cookie_of(app, "ben@example.org")

    async def act(streams: Streams) -> None:
        here = await listening(streams, ada, after=state("ada@example.org"))
        there = await listening(streams, ada, after=state("ada@example.org"))
        bens = await listening(streams, ben, after=state("ben@example.org"))
        assert here.status == 200
        assert here.headers[b"content-type"].startswith(b"text/event-stream")
        await asyncio.sleep(0.2)
        assert not here.news, "a page that knows everything is left in peace"
        await asyncio.to_thread(in_context(app, lambda: tell("ada@example.org", 2)))
        await here.until("event: news")
        await there.until("event: news")
        assert here.news == [f"id: {state('ada@example.org')}"]
        await asyncio.sleep(0.1)
        assert not bens.news

    run(app, act)


def test_who_comes_back_is_told_what_was_missed(app: Flask) -> None:
    ada = cookie_of(app, "ada@example.org")
    before = state("ada@example.org")
    tell("ada@example.org", 2)

    async def act(streams: Streams) -> None:
        first = await listening(streams, ada, after=before)
        await first.until("event: news")
        current = first.news[0].removeprefix("id: ")
        again = await listening(streams, ada, after=before, last_event_id=current)
        missed = await listening(streams, ada, last_event_id=before)
        await missed.until("event: news")
        assert not again.news, "the last event counts, not the page as it was rendered"
        odd = await listening(streams, ada, after="1.2.3; drop table")
        await odd.until("event: news")

    run(app, act)


def test_reading_in_one_tab_is_told_to_the_others(app: Flask) -> None:
    ada = cookie_of(app, "ada@example.org")
    tell("ada@example.org", 2)

    def read() -> None:
        with unit_of_work():
            services.mark_all_read(people.account_by_email("ada@example.org").id)

    async def act(streams: Streams) -> None:
        tab = await listening(streams, ada, after=state("ada@example.org"))
        await asyncio.to_thread(in_context(app, read))
        await tab.until("event: news")

    run(app, act)


def test_a_purchase_wakes_the_other_tabs(app: Flask) -> None:
    ada, who = cookie_of(app, "ada@example.org"), people.account_by_email("ada@example.org").id
    give(who, coins=60)

    def buy() -> None:
        with unit_of_work():
            shop.purchase(who, "scarf", "nonce-of-a-scarf")

    async def act(streams: Streams) -> None:
        before = state("ada@example.org")
        tab = await listening(streams, ada, after=before)
        await asyncio.to_thread(in_context(app, buy))
        await tab.until("event: news")
        page = await listening(streams, ada, after=f"{before}.1")
        assert not page.news, "a page made after it knows of it"

    run(app, act)
    assert queries.bell(who, frozenset()).unread == 0, "it is no news"


def test_quiet_hours_are_quiet(app: Flask) -> None:
    ada = cookie_of(app, "ada@example.org")
    hour = now().hour
    with unit_of_work():
        services.choose(
            people.account_by_email("ada@example.org").id,
            page_off=(),
            mail_kinds=(),
            mail_hour=17,
            quiet=((hour - 1) % 24, (hour + 2) % 24),
        )

    async def act(streams: Streams) -> None:
        tab = await listening(streams, ada, after=state("ada@example.org"))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(in_context(app, lambda: tell("ada@example.org", 2)))
        await asyncio.sleep(0.5)
        assert not tab.news
        later = await listening(streams, ada, last_event_id=tab.last_event_id, after="0.0")
        await later.until("event: news")

    run(app, act)


def test_strangers_and_forged_cookies_get_nothing(app: Flask) -> None:
    ada = cookie_of(app, "ada@example.org")
    forged = ada[:-3] + ("abc" if not ada.endswith("abc") else "abd")

    async def act(streams: Streams) -> None:
        for cookie in ("", "codyverse=", "codyverse=nonsense", forged, "codyverse=\xff", "x=y; codyverse"):
            caller = await listening(streams, cookie)
            assert (caller.status, caller.text) == (401, "")

    run(app, act)


# --- programs ---


def test_a_program_listens_with_its_token(app: Flask) -> None:
    ada = people.account_by_email("ada@example.org").id
    token = token_for(ada, "notifications")

    async def act(streams: Streams) -> None:
        here = {"path": API_PATH, "authorization": f"Bearer {token}"}
        program = await listening(streams, "", after=state("ada@example.org"), **here)
        assert program.status == 200
        await asyncio.to_thread(in_context(app, lambda: tell("ada@example.org", 2)))
        await program.until("event: news")
        assert program.news == [f"id: {state('ada@example.org')}"]

    run(app, act)
    assert tokens.tokens_of(ada)[0].last_used_at is not None


def test_a_browser_may_listen_at_the_programs_address_too(app: Flask) -> None:
    ada = cookie_of(app, "ada@example.org")

    async def act(streams: Streams) -> None:
        assert (await listening(streams, ada, path=API_PATH, after="0.0")).status == 200

    run(app, act)


def test_programs_are_told_in_the_envelope_why_not(app: Flask) -> None:
    ada = people.account_by_email("ada@example.org").id
    small, gone = token_for(ada, "game:read"), token_for(ada, "notifications")
    with unit_of_work():
        tokens.revoke_token(ada, tokens.tokens_of(ada)[0].id)
    cookie = cookie_of(app, "ada@example.org")

    async def act(streams: Streams) -> None:
        for what, status, code in [
            ({}, 401, "UNAUTHORIZED"),
            ({"authorization": f"Bearer {gone}"}, 401, "UNAUTHORIZED"),
            ({"authorization": "Bearer cody_nonsense", "cookie": cookie}, 401, "UNAUTHORIZED"),
            ({"authorization": "Basic YTpi", "cookie": cookie}, 401, "UNAUTHORIZED"),
            ({"authorization": f"Bearer {small}"}, 403, "FORBIDDEN"),
            ({"method": "POST"}, 405, "METHOD_NOT_ALLOWED"),
        ]:
            caller = await listening(streams, what.pop("cookie", ""), path=API_PATH, **what)
            body = json.loads(caller.text)
            assert (caller.status, body["code"], body["success"]) == (status, code, False)
            assert body.keys() == {"success", "error", "code", "timestamp"}
            assert TIME.fullmatch(body["timestamp"])
            assert caller.headers[b"content-type"] == b"application/json"
            assert caller.headers[b"x-request-id"]
            assert (b"www-authenticate" in caller.headers) == (status == 401)

    run(app, act)


def test_a_token_opens_nothing_at_the_address_of_pages(app: Flask) -> None:
    token = token_for(people.account_by_email("ada@example.org").id, "notifications")

    async def act(streams: Streams) -> None:
        caller = await listening(streams, "", authorization=f"Bearer {token}")
        assert (caller.status, caller.text) == (401, "")

    run(app, act)


def test_an_ended_session_gets_nothing(app: Flask) -> None:
    ada = cookie_of(app, "ada@example.org")
    with unit_of_work():
        accounts.sign_out_everywhere(people.account_by_email("ada@example.org").id)

    async def act(streams: Streams) -> None:
        assert (await listening(streams, ada)).status == 401

    run(app, act)


def test_other_methods_are_refused(app: Flask) -> None:
    async def act(streams: Streams) -> None:
        caller = await listening(streams, "", method="POST")
        assert (caller.status, caller.headers[b"allow"]) == (405, b"GET")

    run(app, act)


def test_there_is_an_end_to_how_many(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, ben = cookie_of(app, "ada@example.org"), cookie_of(app, "ben@example.org")
    monkeypatch.setattr(streaming, "MOST_PER_PERSON", 2)

    async def act(streams: Streams) -> None:
        streams.settings = streams.settings.model_copy(update={"streams_max": 3})
        first, *_ = [await listening(streams, ada, after="0.0") for _ in range(3)]
        await until(lambda: first.ended)  # the oldest makes room
        await listening(streams, ben, after="0.0")
        full = await listening(streams, ben, after="0.0")
        assert full.status == 503
        assert full.headers[b"retry-after"] == b"60"

    run(app, act)


def test_whoever_leaves_is_forgotten_and_a_long_life_ends(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = cookie_of(app, "ada@example.org")

    async def act(streams: Streams) -> None:
        caller = await listening(streams, ada, after="0.0")
        caller.leave()
        await asyncio.wait_for(caller.task, 10)
        assert not streams._lines
        assert streams._count == 0
        monkeypatch.setattr(streaming, "LIFE_SECONDS", 0.2)
        monkeypatch.setattr(streaming, "BEAT_SECONDS", 0.05)
        short = await listening(streams, ada, after="0.0")
        await asyncio.wait_for(short.task, 10)
        assert short.ended
        assert ": \n\n" in short.text, "a beat keeps the line"

    run(app, act)


def test_a_broken_line_to_the_database_is_made_anew_and_nothing_is_missed(app: Flask) -> None:
    ada = cookie_of(app, "ada@example.org")
    url = app.config["SQLALCHEMY_ENGINE_OPTIONS"]["creator"]
    killing = "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen %'"

    def kill() -> None:
        with url() as connection, connection.cursor() as cursor:
            cursor.execute(killing)

    async def act(streams: Streams) -> None:
        tab = await listening(streams, ada, after=state("ada@example.org"))
        await asyncio.to_thread(kill)
        await asyncio.sleep(0.05)
        await asyncio.to_thread(in_context(app, lambda: tell("ada@example.org", 2)))
        await tab.until("event: news")
        await asyncio.to_thread(in_context(app, lambda: tell("ada@example.org", 3)))
        await until(lambda: len(tab.news) == 2)

    run(app, act)


def test_pages_carry_the_streams_path(app: Flask) -> None:
    page = Visitor(app).sign_in("ada@example.org").get("/dashboard")
    [live] = page.css("#live")
    assert live.get("hx-sse:connect") == f"{PATH}?after={state('ada@example.org')}"


def in_context(app: Flask, act: Callable[[], None]) -> Callable[[], None]:
    def inside() -> None:
        with app.app_context():
            act()
            db.session.remove()

    return inside
