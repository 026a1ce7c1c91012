"""Reads go to a real replica; whoever wrote reads what they wrote; a replica that lags or is gone is left out."""

import contextvars
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from werkzeug.routing import Rule

from codyverse.accounts import sessions
from codyverse.core.database import db, on_primary, read_from, session, unit_of_work
from codyverse.progress.reports import report_completion
from tests.api.client import Program, token_for
from tests.cluster.pair import MOST_LAG, Pair, ask
from tests.domains.study import Plan, make_course
from tests.factories import make_user
from tests.waiting import eventually

CUT = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'codyverse'"


class Learner:
    """Somebody with a program that reports lessons and reads what they brought."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.lessons = make_course(*[Plan(asks=1, teaches=0)] * 4)
        self.id = make_user()
        self.program = Program(pair.app, token_for(self.id, "progress:report", "game:read", "profile:read"))
        self.browser = pair.app.test_client()
        db.session.remove()

    def xp(self) -> int:
        """As a request of theirs reads it, one that is kept nowhere."""
        answer = self.program.get(f"/gamification/ledger/{self.id}?currency=xp&perPage=100")
        assert answer.status == 200
        return sum(int(each["amount"]) for each in answer.data["items"])

    def finish(self, number: int) -> None:
        """By a request of their own."""
        body = {"lessonId": self.lessons[number], "timeSpent": 5, "score": 80}
        assert self.program.post(f"/gamification/lesson-complete/{self.id}", body).status == 200

    def finish_elsewhere(self, number: int) -> None:
        """By something that is no request of theirs, such as a job."""
        with unit_of_work():
            report_completion(self.id, self.lessons[number], 5, 80)
        db.session.remove()


@pytest.fixture
def learner(pair: Pair) -> Learner:
    made = Learner(pair)
    assert eventually(lambda: pair.is_in(made.id)), "the replica has the learner"
    return made


def test_reads_go_to_the_replica(pair: Pair, learner: Learner) -> None:
    before = learner.xp()
    with pair.paused():
        learner.finish_elsewhere(0)
        assert learner.xp() == before, "the replica does not show it yet, and it is read from"
    assert eventually(lambda: learner.xp() > before)


def test_who_wrote_reads_it_at_once(pair: Pair, learner: Learner) -> None:
    before = learner.xp()
    with pair.paused():
        learner.finish(0)
        assert learner.xp() > before
        assert not pair.is_in(learner.id)
        assert pair.is_in(), "others still read from the replica"
    assert eventually(lambda: pair.is_in(learner.id)), "and so do they, once it has what they wrote"
    assert learner.xp() > before


def test_a_browser_that_signs_in_is_known_at_once(pair: Pair) -> None:
    with pair.paused():
        make_user(email="late@example.org", name="Late")
        db.session.remove()
        browser = pair.app.test_client()
        page = browser.get("/login").get_data(as_text=True)
        token = page.partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]
        form = {"csrf_token": token, "email": "late@example.org", "password": "wren-lantern-tide-42"}
        assert browser.post("/login", data=form).status_code == 303
        answer = browser.get("/dashboard")
        assert (answer.status_code, "Late" in answer.get_data(as_text=True)) == (200, True)


def test_every_page_can_be_read_from_the_replica(
    pair: Pair, learner: Learner, caplog: pytest.LogCaptureFixture
) -> None:
    learner.finish(0)
    assert eventually(lambda: pair.is_in(learner.id))
    for rule in pair.app.url_map.iter_rules():
        if "GET" not in (rule.methods or set()) or rule.endpoint.startswith(("dev", "mails")):
            continue
        path = rule.rule
        for name in rule.arguments:
            value = learner.id if name == "user_id" else learner.lessons[0] if name == "lesson_id" else 1
            path = path.replace(next(part for part in path.split("/") if name in part), str(value))
        learner.program.send("GET", path) if path.startswith("/api") else None
        signed_in(learner, path)
    assert [record.getMessage() for record in caplog.records if "reading from" in record.getMessage()] == []


def signed_in(learner: Learner, path: str) -> int:
    with learner.browser.session_transaction() as cookie:
        cookie["person"] = learner.id
    return learner.browser.get(path).status_code


def test_what_is_kept_of_courses_is_never_filled_from_a_replica_that_is_behind(
    pair: Pair, learner: Learner
) -> None:
    make_course(Plan(asks=1), key="kept")
    with pair.app.app_context(), unit_of_work():
        token = sessions.open_session(learner.id, "")
    with learner.browser.session_transaction() as cookie:
        cookie["token"], cookie["person"] = token, learner.id
    assert eventually(lambda: pair.is_in(learner.id))
    with pair.paused():
        make_course(Plan(asks=1), key="brand-new")
        db.session.remove()
        assert pair.is_in(learner.id)
        assert "Course brand-new" in learner.browser.get("/courses").get_data(as_text=True)


def test_a_replica_that_lags_is_left_out_and_comes_back(pair: Pair, learner: Learner) -> None:
    with pair.paused():
        learner.finish_elsewhere(0)
        assert eventually(lambda: not pair.is_in(), MOST_LAG + 5)
        with on_primary():
            truth = session.execute(
                text("select xp from players where user_id = :id"), {"id": learner.id}
            ).scalar_one()
        assert learner.xp() == truth > 0
    assert eventually(pair.is_in)


def test_a_replica_that_is_idle_does_not_lag(pair: Pair) -> None:
    began = time.monotonic()
    while time.monotonic() < began + MOST_LAG + 1:
        assert pair.is_in()
        time.sleep(0.1)


def test_a_replica_that_dies_costs_nobody_an_answer(pair: Pair, learner: Learner) -> None:
    before = learner.xp()
    pair.kill_replica()
    for _ in range(20):
        assert learner.xp() == before
    assert eventually(pair.is_in), "its keeper started it again"


def test_a_replica_that_dies_behind_a_view_spoils_no_answer(pair: Pair, learner: Learner) -> None:
    """The view has read all it needs; then the connection breaks, before the request ends."""

    def cut() -> str:
        found = str(session.execute(text("select pg_is_in_recovery()")).scalar_one())
        ask(pair.replica, CUT)
        return found

    cut.access = "anyone"  # type: ignore[attr-defined]
    endpoint = "test_cut"
    pair.app.view_functions[endpoint] = cut
    pair.app.url_map.add(Rule("/test/cut", endpoint=endpoint))
    with learner.browser.session_transaction() as cookie:
        cookie["person"] = learner.id

    def read_there() -> bool:
        answer = learner.browser.get("/test/cut")
        assert answer.status_code == 200
        return answer.get_data(as_text=True) == "True"

    assert eventually(read_there), "at a moment at which the replica is level"
    assert eventually(pair.is_in)


def test_a_read_that_breaks_off_is_done_again_on_the_primary(
    pair: Pair, learner: Learner, caplog: pytest.LogCaptureFixture
) -> None:
    before = learner.xp()
    ask(pair.replica, CUT)
    assert learner.xp() == before
    assert any("the primary is asked" in record.getMessage() for record in caplog.records)
    assert eventually(pair.is_in)


def test_without_valkey_everybody_reads_from_the_primary(pair: Pair, learner: Learner) -> None:
    pair.valkey.stop()
    try:
        with pair.paused():
            before = learner.xp()
            learner.finish(1)
            assert learner.xp() > before
            assert not pair.is_in()
            pair.valkey.start()
            after = learner.xp()
            learner.finish_elsewhere(2)
            assert learner.xp() > after, "a Valkey that has just begun is not believed"
    finally:
        if not pair.valkey.is_running():
            pair.valkey.start()
    assert eventually(pair.is_in)


def test_a_unit_of_work_is_never_on_the_replica(pair: Pair) -> None:
    def inside() -> Iterator[bool]:
        with pair.app.app_context():
            read_from(pair.replicas.all[0].engine)
            standby = text("select pg_is_in_recovery()")
            yield session.execute(standby).scalar_one()
            with on_primary():
                yield session.execute(standby).scalar_one()
            yield session.execute(standby).scalar_one()
            with unit_of_work():
                yield session.execute(standby).scalar_one()
            yield session.execute(standby).scalar_one()

    assert contextvars.Context().run(list, inside()) == [True, False, True, False, False]
