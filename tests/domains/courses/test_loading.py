"""Loading courses: ids hang on keys, nothing is lost, and nothing is written that did not change."""

from pathlib import Path
from threading import Barrier, Thread

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import scoped_session

from codyverse.core.database import db, unit_of_work
from codyverse.core.errors import Conflict
from codyverse.courses import queries, services
from codyverse.courses.differences import Change
from codyverse.courses.models import Course, Lesson, Module, Step, StepRevision
from tests.domains.courses import samples
from tests.domains.courses.samples import COURSE, MODULE, lesson, step, write

TABLES = (Course, Module, Lesson, Step, StepRevision)
SECOND = "tea/02-more/01-second.md"


def files(**changed: str) -> dict[str, str | bytes]:
    """Two modules, three lessons; a changed file replaces its text, an empty one goes."""
    base = {
        "tea/course.md": COURSE,
        "tea/01-basics/module.md": MODULE,
        "tea/01-basics/01-first.md": lesson(
            step("intro", "Water.", title="Water"),
            step("ask", "Which?", samples.CHOICE, title="Heat"),
            key="first",
        ),
        "tea/01-basics/02-next.md": lesson(step("intro", "Leaves."), key="next", title="Leaves"),
        "tea/02-more/module.md": MODULE.replace("basics", "more"),
        SECOND: lesson(step("intro", "Milk."), key="second", title="Milk"),
    }
    return {name: text for name, text in (base | changed).items() if text}


@pytest.fixture
def load(db_session: scoped_session, tmp_path: Path):
    """Apply a set of files as one `flask content apply` does; the changes as text."""
    numbers = iter(range(1000))

    def apply(found: dict[str, str | bytes]) -> list[str]:
        courses = samples.courses(write(tmp_path / str(next(numbers)), found))
        changes: list[Change] = []
        planned: list[Change] = []
        for place, course in enumerate(courses, 1):
            planned += services.plan_course(course, place)
            changes += services.apply_course(course, place)
        planned += services.plan_retirement({course.key for course in courses})
        changes += services.retire_courses({course.key for course in courses})
        assert planned == changes, "plan says what apply does"
        db_session.flush()
        return [str(change) for change in changes if change.visible]

    return apply


def everything(session: scoped_session) -> dict[str, list[tuple]]:
    session.expire_all()
    return {
        model.__tablename__: [tuple(row) for row in session.execute(select(model.__table__).order_by("id"))]
        for model in TABLES
    }


def ids(session: scoped_session, model: type) -> dict[str, int]:
    return dict(session.execute(select(model.__table__.c.key, model.__table__.c.id)).all())


def test_first_time_and_again(load, db_session: scoped_session) -> None:
    said = load(files())
    assert said[0] == "+ course tea: new, “Making tea”"
    assert "+ step first / ask: new, “Heat”" in said
    before = everything(db_session)
    assert load(files()) == []
    assert everything(db_session) == before, "not even updated_at"


def test_an_edit_makes_a_revision_and_keeps_the_step(load, db_session: scoped_session) -> None:
    load(files())
    (first,) = db_session.scalars(select(Lesson.id).where(Lesson.key == "first"))
    old = queries.current_steps(first)
    edited = files()["tea/01-basics/01-first.md"].replace("Heat draws", "Warmth draws")
    assert load(files(**{"tea/01-basics/01-first.md": edited})) == ["~ step first / ask: edited"]
    new = queries.current_steps(first)
    assert [pin.step_id for pin in new] == [pin.step_id for pin in old]
    assert new[0] == old[0]
    assert new[1].revision_id != old[1].revision_id
    pinned = queries.revisions([old[1].revision_id, new[1].revision_id])
    whys = [pinned[pin[1].revision_id].exercise["options"][0]["why"] for pin in (old, new)]
    assert whys == ["<p>Heat draws out the taste.</p>", "<p>Warmth draws out the taste.</p>"]


def test_going_back_takes_the_old_revision_again(load, db_session: scoped_session) -> None:
    load(files())
    before = queries.current_steps(ids(db_session, Lesson)["first"])
    edited = files()["tea/01-basics/01-first.md"].replace("Heat draws", "Warmth draws")
    load(files(**{"tea/01-basics/01-first.md": edited}))
    load(files())
    assert queries.current_steps(ids(db_session, Lesson)["first"]) == before
    assert db_session.query(StepRevision).count() == 5


def test_a_comment_changes_nothing_visible(load, db_session: scoped_session) -> None:
    load(files())
    before = everything(db_session)
    commented = files()["tea/01-basics/01-first.md"].replace("Water.", "Water.\n\n<!-- check: 1 + 1 == 2 -->")
    assert load(files(**{"tea/01-basics/01-first.md": commented})) == []
    after = everything(db_session)
    assert {name: after[name] for name in after if name != "courses"} == {
        name: before[name] for name in before if name != "courses"
    }


def test_titles_places_and_modules_change_and_ids_stay(load, db_session: scoped_session) -> None:
    load(files())
    before = {model: ids(db_session, model) for model in (Course, Module, Lesson)}
    steps = {key: queries.current_steps(number) for key, number in before[Lesson].items()}
    base = files()
    moved = {
        "tea/course.md": COURSE.replace("Making tea", "All about tea"),
        "tea/01-first/module.md": MODULE.replace("basics", "more"),
        "tea/01-first/01.md": base["tea/01-basics/02-next.md"],
        "tea/02-then/module.md": MODULE,
        "tea/02-then/01.md": base[SECOND],
        "tea/02-then/02.md": base["tea/01-basics/01-first.md"],
    }
    said = load(moved)
    assert {model: ids(db_session, model) for model in (Course, Module, Lesson)} == before
    assert {key: queries.current_steps(number) for key, number in before[Lesson].items()} == steps
    assert "~ course tea: title changed" in said
    assert "~ lesson next: moved to module more, moved to place 1" in said
    outline = queries.course_outline("tea")
    assert [[item.title for item in module.lessons] for module in outline.modules] == [
        ["Leaves"],
        ["Milk", "The first cup"],
    ]


def test_steps_change_places(load, db_session: scoped_session) -> None:
    load(files())
    first = ids(db_session, Lesson)["first"]
    before = queries.current_steps(first)
    turned = lesson(
        step("ask", "Which?", samples.CHOICE, title="Heat"),
        step("intro", "Water.", title="Water"),
        key="first",
    )
    said = load(files(**{"tea/01-basics/01-first.md": turned}))
    assert sorted(said) == ["~ step first / ask: moved to place 1", "~ step first / intro: moved to place 2"]
    after = queries.current_steps(first)
    assert [(pin.step_id, pin.revision_id) for pin in after] == [
        (pin.step_id, pin.revision_id) for pin in reversed(before)
    ]


def test_what_goes_is_retired_and_comes_back_with_its_id(load, db_session: scoped_session) -> None:
    load(files())
    before = {model: ids(db_session, model) for model in (Module, Lesson)}
    first = before[Lesson]["first"]
    pins = queries.current_steps(first)
    shorter = lesson(step("intro", "Water.", title="Water"), key="first")
    gone = files(**{"tea/01-basics/01-first.md": shorter, "tea/02-more/module.md": "", SECOND: ""})
    assert load(gone) == ["- module more: retired", "- lesson second: retired", "- step first / ask: retired"]
    assert [pin.step_id for pin in queries.current_steps(first)] == [pins[0].step_id]
    assert queries.lesson(before[Lesson]["second"]).retired
    assert [module.title for module in queries.course_outline("tea").modules] == ["The basics"]
    assert pins[1].revision_id in queries.revisions([pins[1].revision_id]), "an open attempt can go on"
    assert load(gone) == []
    assert load(files()) == [
        "^ module more: offered again",
        "^ lesson second: offered again",
        "^ step first / ask: offered again",
    ]
    assert {model: ids(db_session, model) for model in (Module, Lesson)} == before
    assert queries.current_steps(first) == pins


def test_a_course_that_goes_and_comes_back(load, db_session: scoped_session) -> None:
    load(files())
    course = queries.course_outline("tea")
    other = {name.replace("tea/", "coffee/"): text for name, text in files().items()}
    other["coffee/course.md"] = COURSE.replace("key: tea", "key: coffee")
    assert load(other)[-1] == "- course tea: retired"
    assert [card.slug for card in queries.catalogue()] == ["coffee"]
    assert queries.lesson(course.modules[0].lessons[0].id).retired
    back = load(other | files())
    assert "^ course tea: offered again" in back
    assert queries.course_outline("tea") == course


def test_a_course_of_the_api_is_not_touched(load, db_session: scoped_session) -> None:
    load(files())
    db_session.execute(update(Course).values(origin="api", source={}, title="From the API"))
    with pytest.raises(Conflict, match="made over the API"):
        load(files())
    other = {name.replace("tea/", "coffee/"): text for name, text in files().items()}
    other["coffee/course.md"] = COURSE.replace("key: tea", "key: coffee")
    assert "- course tea: retired" not in load(other)


def test_changes_in_the_catalogue_order(load, db_session: scoped_session) -> None:
    load(files())
    earlier = {name.replace("tea/", "about/"): text for name, text in files().items()}
    earlier["about/course.md"] = COURSE.replace("key: tea", "key: about").replace("Making tea", "About")
    assert load(earlier | files())[-1] == "~ course tea: moved to place 2"
    assert [card.slug for card in queries.catalogue()] == ["about", "tea"]


def test_two_at_once_load_it_once(committed_app: Flask, tmp_path: Path) -> None:
    (course,) = samples.courses(write(tmp_path, files()))
    start = Barrier(4)
    counts: list[int] = []

    def load_it() -> None:
        with committed_app.app_context():
            start.wait()
            with unit_of_work():
                counts.append(len(services.apply_course(course, 1)))
            db.session.remove()

    threads = [Thread(target=load_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(counts) == [0, 0, 0, max(counts)]
    assert max(counts) > 5


def test_a_course_is_loaded_as_a_whole_or_not_at_all(committed_app: Flask, tmp_path: Path) -> None:
    (course,) = samples.courses(write(tmp_path, files()))
    db.session.execute(db.text("alter table step_revisions add constraint no_milk check (title <> 'Water')"))
    db.session.commit()
    with pytest.raises(Exception, match="no_milk"), unit_of_work():
        services.apply_course(course, 1)
    assert queries.catalogue() == ()
    db.session.rollback()
    db.session.execute(db.text("alter table step_revisions drop constraint no_milk"))
    db.session.commit()
    with unit_of_work():
        assert services.apply_course(course, 1)
