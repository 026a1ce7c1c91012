"""The database is away: what still opens, what a form keeps, what is said, and that all comes back by itself."""

from dataclasses import dataclass

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from codyverse.core.database import session
from codyverse.gamification.services import verify_ledger
from codyverse.progress import queries
from tests.domains.study import Plan, asking, make_course, start
from tests.factories import make_user
from tests.resilience.conftest import Served
from tests.waiting import eventually
from tests.web.visits import HTMX, Page, Visitor, checked

BANNER = "You can read on."


@dataclass
class Scene:
    """Ada in the middle of a lesson; everything was visited once before the database went away."""

    served: Served
    ada: Visitor
    user_id: int
    lesson_id: int
    attempt_id: int
    slug: str
    player: Page


@pytest.fixture
def scene(served: Served) -> Scene:
    with served.app.app_context():
        [lesson_id] = make_course(Plan(asks=1, teaches=1))
        user_id = make_user(name="Ada")
        email = session.execute(text("select email from users where id = :id"), {"id": user_id}).scalar_one()
        slug = session.execute(
            text("select key from courses where id = (select course_id from lessons where id = :id)"),
            {"id": lesson_id},
        ).scalar_one()
        attempt_id = start(user_id, lesson_id)
    ada = Visitor(served.app).sign_in(email)
    ada.get("/courses")
    ada.get(f"/courses/{slug}")
    player = ada.get(f"/lessons/{lesson_id}?step=2")
    return Scene(served, ada, user_id, lesson_id, attempt_id, slug, player)


def test_courses_and_lessons_open_with_a_quiet_word(scene: Scene) -> None:
    scene.served.postgres.stop()
    for path in ("/courses", f"/courses/{scene.slug}", f"/lessons/{scene.lesson_id}"):
        page = scene.ada.get(path)
        assert BANNER in page.text, path
        assert page.response.headers["Cache-Control"] == "no-store"
        assert "Ada" not in page.text
        assert not page.css('a[href="/login"]'), "nobody was signed out"
    reading = scene.ada.get(f"/lessons/{scene.lesson_id}")
    assert "Text." in reading.text
    assert not reading.css("main form")
    scene.served.postgres.start()
    again = back(scene.ada, "/courses")
    assert BANNER not in again.text
    assert "Ada" in again.text, "still signed in"


def test_strangers_see_courses_but_no_lesson(scene: Scene) -> None:
    stranger = Visitor(scene.served.app)
    scene.served.postgres.stop()
    assert BANNER in stranger.get("/courses").text
    assert stranger.client.get(f"/lessons/{scene.lesson_id}").status_code == 303, "to sign in, as always"


def test_what_is_not_held_and_what_belongs_to_somebody_is_503(scene: Scene) -> None:
    scene.served.postgres.stop()
    for path in ("/courses/no-such-course", "/dashboard", "/progress", "/login", "/lessons/999999"):
        page = checked(scene.ada.client.get(path))
        assert page.status == 503, path
        assert int(page.response.headers["Retry-After"]) > 0
    alert = scene.ada.client.get(f"/lessons/{scene.lesson_id}?step=1", headers=HTMX)
    assert (alert.status_code, "data-trouble" in alert.text) == (503, True)


def test_an_answer_that_cannot_be_stored_waits_on_the_page_and_counts_once(scene: Scene) -> None:
    form = scene.player.css("form#answer")[0]
    with scene.served.app.app_context():
        right = asking(scene.attempt_id)[0].right
    fields = {each.get("name"): each.get("value") for each in form.cssselect("input[type=hidden]")}
    fields["answer"] = right
    scene.served.postgres.stop()
    by_script = scene.ada.client.post(form.get("action"), data=fields, headers=HTMX)
    assert by_script.status_code == 503
    assert "data-send-again" in by_script.text
    page = checked(scene.ada.client.post(form.get("action"), data=fields))
    assert page.status == 503
    [kept] = page.css("form[data-unsent]")
    same = {each.get("name"): each.get("value") for each in kept.cssselect("input")}
    assert (same, kept.get("action")) == (fields, form.get("action"))
    scene.served.postgres.start()
    back(scene.ada, "/dashboard")
    for _ in range(2):
        assert scene.ada.client.post(kept.get("action"), data=same).status_code == 303
    with scene.served.app.app_context():
        answers = session.execute(
            text("select count(*) from answers where attempt_id = :id"), {"id": scene.attempt_id}
        )
        assert answers.scalar_one() == 1
        assert queries.player(scene.user_id, scene.attempt_id, queries.at_place(2)).current.done
        assert verify_ledger() == ()


def test_a_password_is_not_written_onto_the_page(served: Served) -> None:
    visitor = Visitor(served.app)
    fields = {"csrf_token": visitor.token(), "email": "ada@example.org", "password": "wren-lantern-tide-42"}
    served.postgres.stop()
    response = visitor.client.post("/login", data=fields)
    assert (response.status_code, "data-unsent" in response.text, "wren" in response.text) == (
        503,
        False,
        False,
    )


def back(visitor: Visitor, path: str) -> Page:
    """The page once the breaker has found that the database is there again."""
    seen: list[TestResponse] = []

    def whole() -> bool:
        seen.append(visitor.client.get(path))
        return seen[-1].status_code == 200 and BANNER not in seen[-1].text

    assert eventually(whole), "it does not come back"
    return checked(seen[-1])
