"""A hall full of learners before a real server: all finish their lessons at once, and the server can be killed meanwhile."""

import contextvars
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode

import flask
from flask import Flask
from flask_wtf.csrf import generate_csrf
from sqlalchemy import text

from codyverse.accounts import sessions
from codyverse.core.clock import now, standing_at
from codyverse.core.database import db, session, unit_of_work
from codyverse.http.access import begin_session
from tests.domains.study import answer_all, start
from tests.e2e.conftest import serve
from tests.factories import make_user
from tests.waiting import eventually

TABS = 2
"""Each learner sends everything from so many browsers at once, so that a kill meets double sendings as well."""

ATTEMPTS = text("""
    select a.user_id, a.id, a.completed_at is not null as done,
        (select count(*) from ledger_entries e where e.attempt_id = a.id and e.rule = 'lesson'
            and e.source = 'lesson:' || a.lesson_id) as entries,
        coalesce((select completions from lesson_progress p
            where p.user_id = a.user_id and p.lesson_id = a.lesson_id), 0) as completions
    from attempts a where a.user_id = any(:people) order by a.id
""")
PEOPLE = text("""
    select u.id, p.xp, p.level, p.gems,
        (select coalesce(sum(amount), 0) from ledger_entries e where e.user_id = u.id and currency = 'xp') as earned,
        (select count(*) from ledger_entries e where e.user_id = u.id and rule = 'lesson' and currency = 'xp') as paid,
        (select coalesce(sum(lessons), 0) from activity_days d where d.user_id = u.id) as lessons,
        (select coalesce(sum(xp), 0) from activity_days d where d.user_id = u.id) as day_xp,
        (select coalesce(sum(amount), 0) from ledger_entries e where e.user_id = u.id and currency = 'xp'
         and rule in ('lesson', 'lesson_again')) as lesson_xp
    from users u join players p on p.user_id = u.id where u.id = any(:people) order by u.id
""")
BUSY = text(
    "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
    "and backend_type = 'client backend' and state <> 'idle'"
)


@dataclass(frozen=True)
class Learner:
    """Somebody whose attempts are all answered, with a signed-in browser; `attempts` are (lesson, attempt)."""

    user_id: int
    cookie: str
    csrf: str
    attempts: tuple[tuple[int, int], ...]


@dataclass
class Outcome:
    """What became of one round: when the server was killed, and which attempts got an answer."""

    seconds: float
    sent: int
    answered: set[int] = field(default_factory=set)
    answers: int = 0
    statuses: set[int] = field(default_factory=set)


@dataclass
class Hall:
    """The application, to prepare and to look; the server, to be killed."""

    app: Flask
    env: dict[str, str]
    lessons: list[int]
    process: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Start the server and wait until it answers."""
        self.process = serve(self.env)

    def kill(self) -> None:
        """kill -9 to the server and everything that it started."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Wait until the killed server is gone and the database has noticed."""
        assert self.process is not None
        self.process.wait(timeout=30)
        port = int(self.env["PORT"])
        assert eventually(lambda: not _takes_calls(port)), "the port is not free"
        assert eventually(_is_quiet), "a transaction stays open"

    def learners(self, count: int) -> list[Learner]:
        """New learners, each with every lesson answered an hour ago and none finished."""
        with standing_at(now() - timedelta(hours=1)):
            return [self._learner() for _ in range(count)]

    def _learner(self) -> Learner:
        user_id = make_user()
        attempts = [(lesson_id, start(user_id, lesson_id)) for lesson_id in self.lessons]
        for number, (_, attempt_id) in enumerate(attempts):
            answer_all(user_id, attempt_id, wrong=number % 2)
        cookie, csrf = self._browser(user_id)
        return Learner(user_id, cookie, csrf, tuple(attempts))

    def _browser(self, user_id: int) -> tuple[str, str]:
        """Sign in; the session's cookie and a token for its forms."""
        with unit_of_work():
            token = sessions.open_session(user_id, "")
        return contextvars.Context().run(self._cookie, token, user_id)

    def _cookie(self, token: str, user_id: int) -> tuple[str, str]:
        """As the server itself would sign it."""
        with self.app.test_request_context():
            begin_session(token, user_id)
            csrf = generate_csrf()
            serializer = self.app.session_interface.get_signing_serializer(self.app)  # type: ignore[attr-defined]
            return serializer.dumps(dict(flask.session)), csrf

    def finish_all(self, people: list[Learner], *, kill_after: float | None = None) -> Outcome:
        """Everybody finishes all lessons at once; after so many seconds the server is killed, unless it is None."""
        browsers = [learner for learner in people for _ in range(TABS)]
        gate = threading.Barrier(len(browsers) + 1)
        outcome = Outcome(0.0, TABS * sum(len(learner.attempts) for learner in people))
        lock = threading.Lock()

        def browse(learner: Learner) -> None:
            gate.wait(30)
            for lesson_id, attempt_id in learner.attempts:
                status = self.send(learner, lesson_id, attempt_id)
                if status is not None:
                    with lock:
                        outcome.answered.add(attempt_id)
                        outcome.answers += 1
                        outcome.statuses.add(status)

        threads = [threading.Thread(target=browse, args=(learner,)) for learner in browsers]
        for thread in threads:
            thread.start()
        gate.wait(30)
        begun = time.perf_counter()
        if kill_after is not None:
            time.sleep(kill_after)
            self.kill()
            outcome.seconds = time.perf_counter() - begun
        for thread in threads:
            thread.join(60)
        outcome.seconds = outcome.seconds or time.perf_counter() - begun
        return outcome

    def send(self, learner: Learner, lesson_id: int, attempt_id: int) -> int | None:
        """Finish one lesson as a form does; the status, or None if no answer came."""
        body = urlencode({"csrf_token": learner.csrf, "attempt_id": attempt_id})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": f"codyverse={learner.cookie}",
        }
        connection = http.client.HTTPConnection("127.0.0.1", int(self.env["PORT"]), timeout=30)
        try:
            connection.request("POST", f"/lessons/{lesson_id}/complete", body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def attempts(self, people: list[Learner]) -> list[tuple[int, int, bool, int, int]]:
        """(person, attempt, finished, entries of its lesson, completions of its lesson) of each attempt."""
        return self._rows(ATTEMPTS, people)

    def people(self, people: list[Learner]) -> list[tuple[int, ...]]:
        """(person, XP, level, gems, XP of the ledger, lessons paid, lessons and XP of study days, XP of lessons)."""
        return self._rows(PEOPLE, people)

    def _rows(self, query, people: list[Learner]) -> list[tuple]:  # type: ignore[no-untyped-def, type-arg]
        rows = session.execute(query, {"people": [learner.user_id for learner in people]}).all()
        db.session.remove()
        return [tuple(row) for row in rows]


def _is_quiet() -> bool:
    """Asked in a transaction of its own, for within one the picture stays the same."""
    busy = session.execute(BUSY).scalar_one()
    session.remove()
    return busy == 0


def _takes_calls(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
