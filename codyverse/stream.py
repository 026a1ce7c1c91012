"""Server-Sent Events: one small asynchronous process, or a part of one, tells open pages that there is news for them.

A stream carries no content. It says ``event: news`` with the new state as its id, and the page asks for its bell, as
any other fragment, from the pages' own process. PostgreSQL's NOTIFY wakes this process, on one connection for all
streams. A page that comes back with ``Last-Event-ID`` (or comes first, with ``?after=``) is told at once if its state is
no longer the present one; so nothing is lost, in whatever order transactions were committed. Which process carries the
streams, and why: docs/decisions/streams.md.
"""

import asyncio
import contextlib
import logging
import random
import signal
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

import psycopg2
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature
from sqlalchemy.exc import SQLAlchemyError

from codyverse.accounts.queries import SESSION_DAYS, principal_for_token
from codyverse.core.database import session
from codyverse.notifications.queries import states
from codyverse.notifications.statements import CHANNEL
from config import Settings

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = "/notifications/stream"
BEAT_SECONDS = 25
"""Something is sent at least so often, so that proxies keep the line and the dead are noticed."""
LIFE_SECONDS = 900
"""After so long a stream ends and the page comes again, which asks anew whether its session still holds."""
MOST_PER_PERSON = 12
GATHER_SECONDS = 0.02
"""News that comes within this time is looked up in one statement."""
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


@dataclass(eq=False, slots=True)
class Line:
    """An open stream: whose it is, the state that its page knows, and what wakes it."""

    user_id: int
    known: str
    current: str = ""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False

    def tell(self, state: str) -> None:
        """There is this state now."""
        self.current = state
        self.woken.set()

    def close(self) -> None:
        """End it; the page comes again."""
        self.over = True
        self.woken.set()


class Streams:
    """All open streams of this process. `asgi` answers the stream's path; `begin` and `end` frame its life.

    `hears` is set while PostgreSQL is listened to.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.settings: Settings = app.extensions["settings"]
        signing = SecureCookieSessionInterface().get_signing_serializer(app)
        assert signing is not None
        self._signing = signing
        self._lines: defaultdict[int, list[Line]] = defaultdict(list)
        self._count = 0
        self._changed: set[int] = set()
        self._awake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="streams")
        self.over = False
        self.hears = asyncio.Event()

    # --- life ---

    def begin(self) -> None:
        """Start listening; again is harmless."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._look_up())]

    def end_with_signals(self) -> None:
        """Close the streams as soon as the process is asked to stop: the server waits for all that is open.

        The server has handlers of its own in the event loop. These are woken through the signal's wakeup descriptor,
        beside the handler that is set here, so they run all the same.
        """
        loop = asyncio.get_running_loop()

        def stop(*_: object) -> None:
            loop.call_soon_threadsafe(self.close_all)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)

    def close_all(self) -> None:
        """End all streams and take no more."""
        self.over = True
        for line in [line for lines in self._lines.values() for line in lines]:
            line.close()

    async def end(self) -> None:
        """Close all streams and stop listening."""
        self.close_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    # --- one stream ---

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for the stream."""
        if scope["method"] != "GET":
            await _refuse(send, 405, [(b"allow", b"GET")])
            return
        try:
            user_id = await self._whose(scope)
        except SQLAlchemyError as fault:
            log.warning("streams: nobody can be looked up: %s", str(fault).strip().partition("\n")[0])
            await _refuse(send, 503, [(b"retry-after", b"5")])
            return
        if user_id is None:
            await _refuse(send, 401)
            return
        if self._count >= self.settings.streams_max or self.over:
            await _refuse(send, 503, [(b"retry-after", b"60")])
            return
        line = self._open(user_id, _known(scope))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            gone = asyncio.create_task(_until_gone(receive))
            gone.add_done_callback(lambda _task: line.close())
            await self._talk(line, send)
            if not gone.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                gone.cancel()
        finally:
            self._close(line)

    def _open(self, user_id: int, known: str) -> Line:
        lines = self._lines[user_id]
        if len(lines) >= MOST_PER_PERSON:
            lines[0].close()
        line = Line(user_id, known)
        lines.append(line)
        self._count += 1
        self._ask(user_id)
        return line

    def _close(self, line: Line) -> None:
        lines = self._lines[line.user_id]
        lines.remove(line)
        self._count -= 1
        if not lines:
            del self._lines[line.user_id]

    async def _talk(self, line: Line, send: Send) -> None:
        """Say hello, then news as it comes, and a beat when there is none, until the stream has lived its time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LIFE_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 - so that not all come again at once
        await _say(
            send, f"retry: 1000\nid: {line.known}\nevent: hello\ndata: \n\n" if line.known else ": hello\n\n"
        )
        while not line.over and loop.time() < end:
            try:
                await asyncio.wait_for(line.woken.wait(), BEAT_SECONDS)
            except TimeoutError:
                await _say(send, ": \n\n")
                continue
            line.woken.clear()
            if line.current and line.current != line.known:
                line.known = line.current
                await _say(send, f"id: {line.known}\nevent: news\ndata: {line.known}\n\n")

    # --- who ---

    async def _whose(self, scope: Scope) -> int | None:
        """The person whose session cookie came along; None for anybody else. Asks the database only if it is signed."""
        token = self._token(scope)
        if token is None:
            return None
        user_id: int | None = await self._in_thread(self._signed_in, token)
        return user_id

    def _token(self, scope: Scope) -> str | None:
        cookies: SimpleCookie = SimpleCookie()
        for name, value in scope["headers"]:
            if name == b"cookie":
                with contextlib.suppress(CookieError):
                    cookies.load(value.decode("latin-1"))
        found = cookies.get(self.app.config["SESSION_COOKIE_NAME"])
        if found is None:
            return None
        try:
            token = self._signing.loads(found.value, max_age=SESSION_DAYS * 86_400).get("token")
        except (BadSignature, AttributeError):
            return None
        return token if isinstance(token, str) else None

    @staticmethod
    def _signed_in(token: str) -> int | None:
        who = principal_for_token(token)
        return who.id if who else None

    async def _in_thread(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """Run something that asks the database, in a thread with an application context of its own."""

        def inside() -> Any:
            with self.app.app_context():
                try:
                    return act(*arguments)
                finally:
                    session.rollback()

        return await asyncio.get_running_loop().run_in_executor(self._threads, inside)

    # --- news ---

    def _ask(self, user_id: int) -> None:
        """Look up this person's state soon."""
        self._changed.add(user_id)
        self._awake.set()

    async def _look_up(self) -> None:
        """Whoever's news changed is looked up, many in one statement, and their streams are told."""
        while True:
            await self._awake.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._awake.clear()
            asked = [user_id for user_id in self._changed if user_id in self._lines]
            self._changed.clear()
            if not asked:
                continue
            try:
                found = await self._in_thread(states, asked)
            except Exception:
                log.exception("streams: the states could not be read")
                self._changed.update(asked)
                await asyncio.sleep(2)
                self._awake.set()
                continue
            for user_id, state in found.items():
                for line in self._lines.get(user_id, ()):
                    line.tell(state)

    async def _listen(self) -> None:
        """Hear what PostgreSQL tells, for good: after a break everybody is looked up, for news may have been missed."""
        loop = asyncio.get_running_loop()
        while True:
            connection = None
            try:
                connection = await loop.run_in_executor(self._threads, self._connect)
                for user_id in list(self._lines):
                    self._ask(user_id)
                self.hears.set()
                await self._hear(connection)
            except Exception as fault:  # noqa: BLE001 - whatever broke the line, it is made anew
                log.warning("streams: listening again after: %s", str(fault).strip())
                await asyncio.sleep(1 + random.random())  # noqa: S311 - processes need not come back together
            finally:
                self.hears.clear()
                if connection is not None:
                    connection.close()

    def _connect(self) -> Any:
        url = self.settings.stream_database_url
        if url:
            connection = psycopg2.connect(
                url.replace("+psycopg2", "", 1), application_name="codyverse-stream"
            )
        else:
            connection = self.app.config["SQLALCHEMY_ENGINE_OPTIONS"]["creator"]()
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"listen {CHANNEL}")
        return connection

    async def _hear(self, connection: Any) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        number = connection.fileno()
        loop.add_reader(number, ready.set)
        try:
            while True:
                await ready.wait()
                ready.clear()
                connection.poll()
                while connection.notifies:
                    payload = connection.notifies.pop(0).payload
                    if payload.isdigit() and int(payload) in self._lines:
                        self._ask(int(payload))
        finally:
            loop.remove_reader(number)


async def _say(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, status: int, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    """A short answer without words: only programs ask here."""
    more = [(b"content-length", b"0"), (b"cache-control", b"no-store"), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": more})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _known(scope: Scope) -> str:
    """The state that the page knows: of its last event, else as it was rendered. Anything that is none counts as ''."""
    given = ""
    for name, value in scope["headers"]:
        if name == b"last-event-id":
            given = value.decode("latin-1")
    if not given:
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("after", [""])[0]
    latest, _, unread = given.partition(".")
    plain = latest.isascii() and latest.isdigit() and unread.isascii() and unread.isdigit()
    return given if plain and len(given) < 40 else ""


def application(app: Flask, pages: Asgi | None = None) -> Asgi:
    """The ASGI application: the stream, and all other paths by `pages`, if it is given (else they are 404)."""
    made: list[Streams] = []

    def streams() -> Streams:
        if not made:
            made.append(Streams(app))
            made[0].begin()
        return made[0]

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(streams, receive, send)
        elif scope["type"] == "http" and scope["path"] == PATH:
            await streams().asgi(scope, receive, send)
        elif scope["type"] == "http" and pages is not None:
            await pages(scope, _coroutine(receive), send)
        elif scope["type"] == "http":
            await _refuse(send, 404)

    return asgi


def _coroutine(receive: Receive) -> Receive:
    """The server's `receive` as the coroutine function that a2wsgi needs; granian's gives back a future."""

    async def received() -> Message:
        return await receive()

    return received


async def _lifespan(streams: Callable[[], Streams], receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            streams().end_with_signals()
            await send({"type": "lifespan.startup.complete"})
        else:
            await streams().end()
            await send({"type": "lifespan.shutdown.complete"})
            return
