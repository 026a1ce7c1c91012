"""The application behind a real socket, for tools of strangers, and a world in which everything that is first is theirs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask, Response, request
from flask.signals import request_finished
from sqlalchemy import select
from werkzeug.serving import WSGIRequestHandler, make_server

from codyverse.core.database import session, unit_of_work
from codyverse.progress import rehearsal, services
from codyverse.progress.models import AttemptStep
from tests.api.client import token_for
from tests.factories import make_user
from tests.web.playing import make_tea
from tests.web.visits import Visitor

EXAMPLE_EMAIL, EXAMPLE_PASSWORD = "ada@example.org", "a long pass phrase"
"""Those in the document's examples."""


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's signature
        """Say nothing."""


@dataclass
class Served:
    """Where the application answers, and what it answered: the endpoint and the status of each request."""

    url: str
    app: Flask
    answered: list[tuple[str, int]] = field(default_factory=list)

    def statuses(self, operation_id: str) -> set[int]:
        return {status for endpoint, status in self.answered if endpoint == f"api.{operation_id}"}


@contextmanager
def served(app: Flask) -> Iterator[Served]:
    """Serve the application from threads of this process."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    found = Served(f"http://127.0.0.1:{server.server_port}", app)

    def note(sender: Flask, response: Response, **more: object) -> None:
        found.answered.append((request.endpoint or "", response.status_code))

    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with request_finished.connected_to(note, app):
        yield found
    server.shutdown()
    server.server_close()
    thread.join(30)


@dataclass(frozen=True)
class World:
    """Somebody who may do everything and owns all that has the id 1, as the document's examples name it."""

    user_id: int
    token: str
    cookie: str
    lesson_id: int


def make_world(app: Flask, folder: Path) -> World:
    """The lesson 1 was finished once; it is open again as attempt 2."""
    lesson_id = make_tea(folder)
    user_id = make_user(email=EXAMPLE_EMAIL, role="operator", password=EXAMPLE_PASSWORD)
    with unit_of_work():
        first = services.start_attempt(user_id, lesson_id)
    _finish(user_id, first)
    with unit_of_work():
        services.start_attempt(user_id, lesson_id)
    assert (user_id, lesson_id, first) == (1, 1, 1)
    browser = Visitor(app).sign_in(EXAMPLE_EMAIL, EXAMPLE_PASSWORD)
    kept = browser.client.get_cookie("codyverse")
    assert kept is not None
    return World(user_id, token_for(user_id), kept.value, lesson_id)


def _finish(user_id: int, attempt_id: int) -> None:
    steps = select(AttemptStep.step_id).where(AttemptStep.attempt_id == attempt_id, AttemptStep.asks)
    for step_id in session.scalars(steps).all():
        given = rehearsal.solution(attempt_id, step_id)
        with unit_of_work():
            services.answer_step(user_id, attempt_id, step_id, 1, given)
    with unit_of_work():
        services.complete_attempt(user_id, attempt_id)
