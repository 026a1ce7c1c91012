"""The gate at the door: who works, who waits in which order, who is told at once to come again, and in which words."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.test import Client

from codyverse.http.admission import FREE, SAID, SPARE, Door, Gate, threads_for
from codyverse.web.errors import busy_page
from tests.waiting import eventually
from tests.web.visits import HTMX, Visitor, checked

PATIENT = 30.0


def waiting(gate: Gate, names: str, came: list[str]) -> list[threading.Thread]:
    """One after another they ask to be let in; whoever is writes their name."""
    threads = []
    for name in names:
        thread = threading.Thread(target=lambda name=name: came.append(name) if gate.enter() else None)
        before = gate.load().waiting
        thread.start()
        assert eventually(lambda before=before: gate.load().waiting == before + 1)
        threads.append(thread)
    return threads


def test_so_many_work_so_many_wait_in_order_and_the_next_is_refused() -> None:
    gate, came = Gate(2, 3, PATIENT), []
    assert gate.enter()
    assert gate.enter()
    threads = waiting(gate, "abc", came)
    assert not gate.enter()
    load = gate.load()
    assert (load.busy, load.waiting, load.refused) == (2, 3, 1)
    for expected in ("a", "ab", "abc"):
        gate.leave(0.0)
        assert eventually(lambda expected=expected: "".join(came) == expected)
    for thread in threads:
        thread.join(30)
    for _ in range(2):
        gate.leave(0.0)
    assert (gate.load().busy, gate.load().waiting) == (0, 0)


def test_who_would_wait_too_long_going_by_the_last_ones_is_refused_although_few_wait() -> None:
    gate = Gate(1, 1000, 1.0)
    for _ in range(200):  # each took two seconds, so the mean is near that
        assert gate.enter()
        gate.leave(2.0)
    assert gate.enter()
    assert gate.load().queue_seconds > 1.9
    assert not gate.enter()


def test_nobody_waits_longer_than_patience_and_the_place_is_free_again() -> None:
    gate = Gate(1, 5, 0.05)
    assert gate.enter()
    assert not gate.enter()
    assert gate.load().waiting == 0
    gate.leave(0.0)
    assert gate.enter()


def test_many_at_once_are_never_more_than_may_be_and_none_is_lost() -> None:
    gate, lock, now_in, most, served = Gate(4, 100, PATIENT), threading.Lock(), [0], [0], [0]

    def ask() -> None:
        for _ in range(50):
            assert gate.enter()
            with lock:
                now_in[0] += 1
                most[0] = max(most[0], now_in[0])
            with lock:
                now_in[0] -= 1
                served[0] += 1
            gate.leave(0.0)

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert served[0] == 40 * 50
    assert most[0] <= 4
    assert (gate.load().busy, gate.load().waiting, gate.load().refused) == (0, 0, 0)


def test_a_server_needs_threads_for_all_of_them() -> None:
    assert threads_for(4, 60) == 64 + SPARE


@pytest.fixture
def full(app: Flask) -> Iterator[Visitor]:
    """A stranger's browser before an application whose only place is taken."""
    inner, gate = app.wsgi_app, Gate(1, 0, 0.0)
    visitor = Visitor(app)
    visitor.client.get("/login")
    door = Door(inner, gate, lambda: busy_page(app, SAID), {"X-Content-Type-Options": "nosniff"})
    app.wsgi_app = door  # type: ignore[method-assign]
    assert gate.enter()
    yield visitor
    app.wsgi_app = inner  # type: ignore[method-assign]


def test_pages_and_api_are_told_at_once_in_their_own_words(full: Visitor) -> None:
    page = full.client.get("/courses")
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert SAID in page.text
    assert 1 <= int(page.headers["Retry-After"]) <= 3
    answer = full.client.get("/api/courses")
    assert (answer.status_code, answer.json["success"], answer.json["code"]) == (
        503,
        False,
        "SERVICE_UNAVAILABLE",
    )
    assert set(answer.json) == {"success", "error", "code", "timestamp"}
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["X-Request-Id"] != page.headers["X-Request-Id"]


def test_a_form_is_kept_on_its_page_and_what_htmx_sends_stays_where_it_is(full: Visitor) -> None:
    fields = {"csrf_token": "a-token", "kind": "blank", "blank-0": "what was typed"}
    page = checked(full.client.post("/lessons/1/steps/1/answer", data=fields))
    assert page.status == 503
    kept = {each.get("name"): each.get("value") for each in page.css("form[data-unsent] input")}
    assert kept == fields
    assert full.client.post("/lessons/1/steps/1/answer", data=fields, headers=HTMX).status_code == 503


def test_balancers_and_files_are_always_answered(full: Visitor) -> None:
    assert full.client.get("/health/live").status_code == 200
    assert full.client.get("/static/dist/none.css").status_code == 404
    assert FREE == ("/health", "/metrics", "/static/")


def test_what_fails_makes_room_as_well() -> None:
    def fails(_environ: object, _start: object) -> list[bytes]:
        raise RuntimeError("on purpose")

    gate = Gate(1, 0, 0.0)
    client = Client(Door(fails, gate, lambda: "", {}))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="on purpose"):
            client.get("/")
    assert gate.load().busy == 0
