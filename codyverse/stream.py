"""Server-Sent Events: one small asynchronous process, or a part of one, tells open pages that there is news for them.

A stream carries no content. It says ``event: news`` with the new state as its id, and the page asks for its bell, as
any other fragment, from the pages' own process. PostgreSQL's NOTIFY wakes this process, on one connection for all
streams. A page that comes back with ``Last-Event-ID`` (or comes first, with ``?after=``) is told at once if its state is
no longer the present one; so nothing is lost, in whatever order transactions were committed. Which process carries the
streams, and why: docs/decisions/streams.md.
"""

import asyncio
import logging
import random
import signal
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import psycopg2
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from codyverse.core.database import session
from codyverse.core.errors import DomainError
from codyverse.core.resilience import again
from codyverse.http import refusals
from codyverse.http.callers import Callers, whose
from codyverse.notifications.queries import states
from codyverse.notifications.statements import CHANNEL
from config import Settings

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH, API_PATH = "/notifications/stream", "/api/notifications/stream"
"""For pages, by the session's cookie; for programs, by a token or the cookie, with answers as the API gives them."""
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
        self._callers = Callers(app)
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
        try:
            user_id = await self._admitted(scope)
        except refusals.Refused as refused:
            await refused.tell(send, in_words=scope["path"] == API_PATH)
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

    async def _admitted(self, scope: Scope) -> int:
        """Whose stream it will be. Raises Refused."""
        if scope["method"] != "GET":
            raise refusals.Refused(405)
        try:
            user_id = await self._whose(scope)
        except SQLAlchemyError as fault:
            log.warning("streams: nobody can be looked up: %s", str(fault).strip().partition("\n")[0])
            raise refusals.Refused(503) from fault
        except DomainError as fault:
            raise refusals.Refused(403 if fault.code == "FORBIDDEN" else 401) from fault
        if self._count >= self.settings.streams_max or self.over:
            raise refusals.Refused(503, retry_after=60)
        return user_id

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

    async def _whose(self, scope: Scope) -> int:
        """The person who asks. The database is asked only if there is a signed cookie or a token. Raises DomainError."""
        claim = self._callers.claim(scope["headers"], takes_token=scope["path"] == API_PATH)
        user_id: int = await self._in_thread(whose, claim, "notifications")
        return user_id

    async def _in_thread(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """Run something that asks the database, in a thread with an application context of its own."""

        def inside() -> Any:
            with self.app.app_context():
                try:
                    return again(lambda: act(*arguments))
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


def _known(scope: Scope) -> str:
    """The state that the page knows: of its last event, else as it was rendered. Anything that is none counts as ''."""
    given = ""
    for name, value in scope["headers"]:
        if name == b"last-event-id":
            given = value.decode("latin-1")
    if not given:
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("after", [""])[0]
    parts = given.split(".")
    plain = len(parts) in {2, 3} and all(part.isascii() and part.isdigit() for part in parts)
    return given if plain and len(given) < 60 else ""


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
        elif scope["type"] == "http" and _is_ours(scope, has_pages=pages is not None):
            await streams().asgi(scope, receive, send)
        elif scope["type"] == "http" and pages is not None:
            await pages(scope, _coroutine(receive), send)
        elif scope["type"] == "http":
            await refusals.Refused(404).tell(send)

    return asgi


def _is_ours(scope: Scope, *, has_pages: bool) -> bool:
    """Whether the streams answer it. Of the API's path the pages' side answers all but GET, as for every operation."""
    if scope["path"] == API_PATH and has_pages:
        return bool(scope["method"] == "GET")
    return scope["path"] in (PATH, API_PATH)


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
