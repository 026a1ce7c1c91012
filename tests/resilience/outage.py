"""PostgreSQL goes away under load and comes back: learners go on sending, readers go on reading, all is written down."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from sqlalchemy import text

from codyverse.core.database import db, session
from tests.crash.hall import Hall, Learner
from tests.domains.study import asking, start
from tests.factories import make_user
from tests.frozen import freeze, thaw
from tests.resilience.postgres import Postgres

BANNER = b"You can read on."
BEFORE_S = 2.0
"""So long all is well before PostgreSQL is stopped."""
ANSWERS = text("""
    select count(*), count(distinct (attempt_id, step_id, try_no)) from answers where attempt_id = any(:attempts)
""")


@dataclass(frozen=True)
class Task:
    """A form that a learner sends until it is taken; `name` is what it does."""

    name: str
    path: str
    fields: dict[str, str]
    attempt_id: int


@dataclass
class Record:
    """What was answered, and when after PostgreSQL came back the first page had it again."""

    statuses: Counter[tuple[str, int | None]] = field(default_factory=Counter)
    acknowledged: Counter[str] = field(default_factory=Counter)
    completed: set[int] = field(default_factory=set)
    refused_seconds: list[float] = field(default_factory=list)
    without_wait: int = 0
    stopped_s: float = 0.0
    recovered_s: float = 0.0
    sent_meanwhile: int = 0


class Outage:
    """One run: `learners` finish all lessons, each of their requests `pace` seconds after the last answer. `hangs`: PostgreSQL is
    not stopped, but takes what is sent and says nothing."""

    def __init__(self, hall: Hall, postgres: Postgres, *, pace: float, hangs: bool = False) -> None:
        self.hall, self.postgres, self.pace, self.hangs = hall, postgres, pace, hangs
        self.record = Record()
        self.away = threading.Event()
        self.over = threading.Event()
        self._lock = threading.Lock()

    # --- people ---

    def learner(self) -> tuple[Learner, list[Task]]:
        """Somebody with all lessons begun, and what they are going to send: each answer, then the completion."""
        user_id = make_user()
        attempts = [(lesson_id, start(user_id, lesson_id)) for lesson_id in self.hall.lessons]
        cookie, csrf = self.hall._browser(user_id)
        tasks = []
        for lesson_id, attempt_id in attempts:
            for step in asking(attempt_id):
                fields = {"kind": "choice", "try_no": "1", "answer": step.right}
                path = f"/lessons/{lesson_id}/steps/{step.step_id}/answer"
                tasks.append(Task("answer", path, fields, attempt_id))
            fields = {"attempt_id": str(attempt_id)}
            tasks.append(Task("completion", f"/lessons/{lesson_id}/complete", fields, attempt_id))
        return Learner(user_id, cookie, csrf, tuple(attempts)), tasks

    def _work(self, learner: Learner, tasks: list[Task]) -> None:
        for task in tasks:
            while not self._send(learner, task):
                time.sleep(self.pace)
            time.sleep(self.pace)

    def _send(self, learner: Learner, task: Task) -> bool:
        """Send it once; whether it was taken."""
        body = urlencode(task.fields | {"csrf_token": learner.csrf})
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"codyverse={learner.cookie}"}
        began = time.perf_counter()
        status, headers, _ = self._ask("POST", task.path, body, kind)
        with self._lock:
            self.record.statuses[task.name, status] += 1
            self.record.sent_meanwhile += self.away.is_set()
            if status == 503:
                self.record.refused_seconds.append(time.perf_counter() - began)
                self.record.without_wait += not headers.get("retry-after")
            if status == 303:
                self.record.acknowledged[task.name] += 1
                if task.name == "completion":
                    self.record.completed.add(task.attempt_id)
        return status == 303

    def _read(self, name: str, path: str, cookie: str) -> None:
        headers = {"Cookie": f"codyverse={cookie}"} if cookie else {}
        while not self.over.is_set():
            status, told, _ = self._ask("GET", path, None, headers)
            with self._lock:
                self.record.statuses[name, status] += 1
                self.record.without_wait += status == 503 and not told.get("retry-after")
            time.sleep(0.1)

    def _ask(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int | None, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", int(self.hall.env["PORT"]), timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read()
        except (OSError, http.client.HTTPException):
            return None, {}, b""
        finally:
            connection.close()

    # --- the run ---

    def run(self, learners: int, seconds: float) -> list[Learner]:
        """Everybody works, PostgreSQL is away for so many seconds, everybody finishes."""
        crowd = [self.learner() for _ in range(learners)]
        db.session.remove()
        db.engine.dispose()
        self.hall.open()
        self._ask("GET", "/courses", None, {})
        reader = crowd[0][0].cookie
        readers = [
            self._thread(self._read, "courses, stranger", "/courses", ""),
            self._thread(self._read, "courses, signed in", "/courses", reader),
            self._thread(self._read, "API", "/api/courses", ""),
        ]
        workers = [self._thread(self._work, learner, tasks) for learner, tasks in crowd]
        time.sleep(BEFORE_S)
        self._be_away(seconds)
        for thread in workers:
            thread.join(600)
        self.over.set()
        for thread in readers:
            thread.join(60)
        assert not any(thread.is_alive() for thread in [*workers, *readers])
        return [learner for learner, _ in crowd]

    def _thread(self, act: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=act, args=arguments)
        thread.start()
        return thread

    def _be_away(self, seconds: float) -> None:
        self.away.set()
        if self.hangs:
            freeze(self.postgres.pid)
        else:
            self.postgres.stop()
        stopped = time.perf_counter()
        time.sleep(seconds)
        self.away.clear()
        if self.hangs:
            thaw(self.postgres.pid)
        else:
            self.postgres.start()
        back = time.perf_counter()
        self.record.stopped_s = back - stopped
        while True:
            status, _, page = self._ask("GET", "/courses", None, {})
            if status == 200 and BANNER not in page:
                break
            assert time.perf_counter() - back < 60, "it does not come back"
            time.sleep(0.05)
        self.record.recovered_s = time.perf_counter() - back

    def answers(self, people: list[Learner]) -> tuple[int, int]:
        """Answers in the database, and how many different tries they are."""
        attempts = [attempt_id for learner in people for _, attempt_id in learner.attempts]
        row = session.execute(ANSWERS, {"attempts": attempts}).one()
        db.session.remove()
        return int(row[0]), int(row[1])
