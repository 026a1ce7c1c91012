"""At the door of a web process: so many requests at once, so many waiting, and everybody else is told at once to come again.

The server runs more threads than may work (`threads_for`); those that wait cost no time of the processor. How long
somebody would wait follows from how long the last requests took. Why here, and what it was measured to bring:
docs/decisions/overload.md.
"""

import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Flask

from codyverse.core import metrics
from codyverse.core.clock import now
from codyverse.core.errors import Unavailable
from codyverse.http.pipeline import asked
from codyverse.http.security import content_security_policy

Environ = dict[str, Any]
Respond = Callable[..., Any]
Wsgi = Callable[[Environ, Respond], Iterable[bytes]]
SPARE = 4
"""Threads beside those that work or wait: they answer whoever is told to come again."""
REFUSED = "codyverse.refused"
"""In the environment of a form that is refused: only its own page can keep what was typed."""
WAITED = "codyverse.waited"
"""In the environment: how many seconds the request waited at the door."""
FREE = ("/health", "/metrics", "/static/")
"""Balancers must hear of a busy process, and files cost next to nothing."""
MEMORY = 0.05
"""Share of the newest request in the mean of how long they take."""
RETRY_AFTER_S = (1, 2, 3)
"""Different ones, so that not all come again at once."""
SAID = "There is more to do just now than can be done in time. Try again in a moment; nothing is lost."


def threads_for(at_once: int, waiting: int) -> int:
    """How many threads a server needs for this gate."""
    return at_once + waiting + SPARE


@dataclass(frozen=True, slots=True)
class Load:
    """How busy this process is: requests at work and waiting, those refused so far, and the seconds that one takes."""

    at_once: int
    busy: int
    waiting: int
    refused: int
    seconds: float

    @property
    def queue_seconds(self) -> float:
        """How long somebody who comes now would wait."""
        return (self.waiting + 1) * self.seconds / self.at_once if self.busy >= self.at_once else 0.0


class Gate:
    """Lets `at_once` in; up to `most` others wait in their order, each at most `patience` seconds."""

    def __init__(self, at_once: int, most: int, patience: float) -> None:
        self._at_once, self._most, self._patience = at_once, most, patience
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._busy = self._refused = 0
        self._seconds = 0.0

    def load(self) -> Load:
        """As it is now."""
        with self._lock:
            return Load(self._at_once, self._busy, len(self._waiting), self._refused, self._seconds)

    def enter(self) -> bool:
        """Come in, perhaps after waiting; False, mostly at once, for those who would wait too long. Then nothing is to be left."""
        with self._lock:
            if self._busy < self._at_once:
                self._busy += 1
                return True
            wait = (len(self._waiting) + 1) * self._seconds / self._at_once
            if len(self._waiting) >= self._most or wait > self._patience:
                self._refused += 1
                return False
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=self._patience):
            return True
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                self._refused += 1
                return False
        return True  # its turn came just now

    def leave(self, seconds: float) -> None:
        """Make room after so many seconds; whoever has waited longest comes in."""
        with self._lock:
            self._seconds += MEMORY * (seconds - self._seconds)
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._busy -= 1


class Door:
    """A WSGI application behind a gate. `page` is what browsers are shown who are told to come again."""

    def __init__(self, inner: Wsgi, gate: Gate, page: Callable[[], str], headers: dict[str, str]) -> None:
        self._inner, self.gate = inner, gate
        self._page, self._headers = page, headers

    def __call__(self, environ: Environ, start_response: Respond) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(FREE):
            return self._inner(environ, start_response)
        came = time.perf_counter()
        if not self.gate.enter():
            return self._refuse(environ, start_response)
        began = time.perf_counter()
        environ[WAITED] = began - came
        try:
            return self._inner(environ, start_response)
        finally:
            self.gate.leave(time.perf_counter() - began)

    def _refuse(self, environ: Environ, start_response: Respond) -> Iterable[bytes]:
        metrics.refused.inc()
        if _is_form(environ):
            environ[REFUSED] = True
            return self._inner(environ, start_response)
        wait = str(secrets.choice(RETRY_AFTER_S))
        kind, text = self._words(environ)
        headers = {
            **self._headers,
            "Content-Type": kind,
            "Content-Length": str(len(text)),
            "Retry-After": wait,
            "Cache-Control": "no-store",
            "X-Request-Id": secrets.token_hex(8),
        }
        start_response("503 Service Unavailable", list(headers.items()))
        return [text]

    def _words(self, environ: Environ) -> tuple[str, bytes]:
        if environ["PATH_INFO"].startswith("/api/"):
            at = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
            told = {"success": False, "error": SAID, "code": "SERVICE_UNAVAILABLE", "timestamp": at}
            return "application/json", json.dumps(told).encode()
        return "text/html; charset=utf-8", self._page().encode()


def _is_form(environ: Environ) -> bool:
    """A form that a browser sends without htmx."""
    sent = environ["REQUEST_METHOD"] == "POST" and "HTTP_HX_REQUEST" not in environ
    return sent and environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")


def _told_in_flask() -> None:
    """A form that the door has refused gets the page that keeps it."""
    if REFUSED in asked().environ:
        raise Unavailable(SAID, secrets.choice(RETRY_AFTER_S))


def install(app: Flask) -> None:
    """Refuse what the door has marked, before anything else looks at it."""
    app.before_request(_told_in_flask)


def stand_before(app: Flask, page: Callable[[], str]) -> Gate:
    """Put the door before this application, as the settings say. To be called by what a server loads, once."""
    settings = app.extensions["settings"]
    gate = Gate(settings.web_threads, settings.web_queue, settings.web_queue_ms / 1000)
    policy = content_security_policy(app.config.get("ASSET_URL"))
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {source}" for name, source in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
    }
    app.extensions["gate"] = gate
    app.wsgi_app = Door(app.wsgi_app, gate, cache(page), headers)  # type: ignore[method-assign]
    return gate
