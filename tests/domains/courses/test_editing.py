"""Courses of the API: written as a whole, ids hang on keys, and files and API never touch each other's courses."""

import copy
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import scoped_session

from codyverse.core import events
from codyverse.core.database import db, unit_of_work
from codyverse.core.errors import Conflict, Invalid, NotFound, Stale
from codyverse.courses import editing, listing, queries, services
from codyverse.courses.events import LessonsPublished
from codyverse.courses.models import Course, Lesson, Module, Step
from codyverse.progress import queries as progress
from tests.domains import study
from tests.domains.courses import documents, samples
from tests.domains.courses.documents import course, lesson, module, step
from tests.domains.courses.test_loading import everything, files, ids
from tests.domains.together import together

UNKNOWN = 2**62


def two() -> dict[str, Any]:
    """Two modules, three lessons."""
    first = module(lesson(), lesson(step("intro"), key="next", title="Leaves"))
    return course(first, module(lesson(step("intro"), key="second", title="Milk"), key="more"))


def rows_of(session: scoped_session, *models: type) -> set[tuple[str, int, str]]:
    """Which keys have which ids."""
    return {
        (model.__name__, *row)
        for model in models
        for row in session.execute(select(model.__table__.c.id, model.__table__.c.key))
    }


def version(course_id: int) -> int:
    return listing.course_detail(course_id, even_retired=True).version


@pytest.fixture
def made(db_session: scoped_session) -> int:
    """The course of `two`; its id."""
    return editing.create_course(two())


def test_what_was_sent_can_be_read_back(made: int) -> None:
    assert listing.course_source(made).document == two()
    detail = listing.course_detail(made)
    assert (detail.key, detail.origin, detail.title) == ("tea", "api", "Making tea")
    assert detail.description_html == "<p>For <em>anyone</em> who likes tea.</p>"
    assert detail.skills == {"water": "Water", "leaves": "Leaves"}
    assert [[item.key for item in part.lessons] for part in detail.modules] == [["first", "next"], ["second"]]
    assert [card.slug for card in queries.catalogue()] == ["tea"]


def test_a_course_with_faults_writes_nothing(db_session: scoped_session) -> None:
    with pytest.raises(Invalid):
        editing.create_course(course(title=""))
    assert db_session.scalar(select(func.count()).select_from(Course)) == 0


def test_the_same_again_changes_nothing(made: int, db_session: scoped_session) -> None:
    before = everything(db_session)
    assert editing.replace_course(made, copy.deepcopy(two())) == ()
    assert everything(db_session) == before, "neither version nor updated_at"


def test_a_change_that_nobody_sees_is_kept_too(made: int, clock) -> None:
    commented = two()
    commented["modules"][0]["lessons"][0]["steps"][0]["body"] += "\n\n<!-- check: 1 + 1 == 2 -->"
    before = listing.course_detail(made)
    assert [change.visible for change in editing.replace_course(made, commented)] == [False]
    assert listing.course_source(made).document == commented
    assert listing.course_detail(made).version == before.version + 1


def test_another_order_and_other_titles_keep_every_id(made: int, db_session: scoped_session) -> None:
    before = rows_of(db_session, Module, Lesson, Step)
    turned = two()
    turned["modules"].reverse()
    turned["modules"][0]["lessons"].append(turned["modules"][1]["lessons"].pop(0))
    turned["modules"][0]["lessons"][1] |= {"title": "Hot water"}
    turned["modules"][0]["lessons"][1]["steps"].reverse()
    editing.replace_course(made, turned)
    assert rows_of(db_session, Module, Lesson, Step) == before
    outline = queries.course_outline("tea")
    assert [[item.title for item in part.lessons] for part in outline.modules] == [
        ["Milk", "Hot water"],
        ["Leaves"],
    ]
    pins = queries.current_steps(ids(db_session, Lesson)["first"])
    assert [pin.asks for pin in pins] == [True, False]


def test_what_a_learner_has_done_stays(ada: int, made: int, db_session: scoped_session) -> None:
    lessons = ids(db_session, Lesson)
    done = study.do_lesson(ada, lessons["second"])
    opened = study.start(ada, lessons["first"])
    pinned = queries.current_steps(lessons["first"])
    changed = two()
    changed["modules"].reverse()
    changed["modules"][1]["lessons"][0]["steps"] = [step("ask", "order"), step("fresh")]
    with unit_of_work():
        editing.replace_course(made, changed)
    states = progress.lesson_states(ada, made)
    assert (states[lessons["second"]].state, states[lessons["first"]].state) == ("done", "open")
    assert progress.completion(ada, done)
    view = progress.player(ada, opened)
    assert len(view.steps) == 2, "the attempt goes on with the steps that it began with"
    assert {pin.revision_id for pin in pinned} <= set(queries.revisions([pin.revision_id for pin in pinned]))


def test_what_goes_is_retired_and_comes_back_with_its_id(made: int, db_session: scoped_session) -> None:
    before, second = rows_of(db_session, Module, Lesson, Step), ids(db_session, Lesson)["second"]
    shorter = two()
    shorter["modules"].pop()
    shorter["modules"][0]["lessons"][0]["steps"].pop()
    said = [str(change) for change in editing.replace_course(made, shorter) if change.visible]
    assert said == ["- module more: retired", "- lesson second: retired", "- step first / ask: retired"]
    assert queries.lesson(second).retired
    editing.replace_course(made, two())
    assert rows_of(db_session, Module, Lesson, Step) == before
    assert not queries.lesson(second).retired


def test_the_key_never_changes(made: int) -> None:
    with pytest.raises(Invalid) as found:
        editing.replace_course(made, two() | {"key": "coffee"})
    assert "`tea`" in found.value.fields["key"][0]


def test_some_fields_change_and_the_rest_stays(made: int, db_session: scoped_session) -> None:
    before = everything(db_session)
    fields = {"title": "All about tea", "description": "**Hot**", "difficulty": "advanced"}
    editing.change_course(made, fields)
    assert listing.course_source(made).document == two() | fields
    detail = listing.course_detail(made)
    assert (detail.title, detail.description_html, detail.difficulty) == (
        "All about tea",
        "<p><strong>Hot</strong></p>",
        "advanced",
    )
    after = everything(db_session)
    assert {name: rows for name, rows in after.items() if name != "courses"} == {
        name: rows for name, rows in before.items() if name != "courses"
    }
    assert editing.change_course(made, {}) == ()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"title": 5}, "title"),
        ({"title": None}, "title"),
        ({"modules": []}, "modules"),
        ({"key": "tea"}, "key"),
        ({"origin": "files"}, "origin"),
        ({"skills": {"leaves": "Leaves"}}, "modules.0.lessons.0.steps.0.skills"),
    ],
)
def test_a_change_obeys_the_same_rules(made: int, fields: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as found:
        editing.change_course(made, fields)
    assert path in found.value.fields
    assert listing.course_source(made).document == two()


def test_only_over_what_was_read(made: int) -> None:
    seen = version(made)
    editing.change_course(made, {"title": "First"}, expected={seen})
    for act in (
        lambda: editing.change_course(made, {"title": "Second"}, expected={seen}),
        lambda: editing.replace_course(made, two(), expected={seen}),
        lambda: editing.retire_course(made, expected={seen}),
    ):
        with pytest.raises(Stale) as found:
            act()
        assert found.value.code == "PRECONDITION_FAILED"
    assert listing.course_detail(made).title == "First"
    editing.replace_course(made, two(), expected={seen + 1})


def test_retired_and_offered_again(ada: int, made: int, db_session: scoped_session) -> None:
    lessons = ids(db_session, Lesson)
    study.do_lesson(ada, lessons["second"])
    seen = version(made)
    assert editing.retire_course(made, expected={seen})
    assert not editing.retire_course(made, expected={seen}), "again is harmless, also with the old version"
    assert queries.catalogue() == ()
    assert listing.courses_page(1, 20) == listing.CoursePage((), 0)
    for read in (
        lambda: listing.course_detail(made),
        lambda: listing.lessons_page(made, None, 1, 20),
        lambda: editing.change_course(made, {"title": "x"}),
    ):
        with pytest.raises(NotFound) as found:
            read()
        assert found.value.code == "COURSE_NOT_FOUND"
    assert listing.course_source(made).document == two(), "its authors can still read it"
    assert [str(change) for change in editing.replace_course(made, two())] == ["^ course tea: offered again"]
    assert ids(db_session, Lesson) == lessons
    assert progress.lesson_states(ada, made)[lessons["second"]].state == "done"


def test_taken_keys(made: int, db_session: scoped_session) -> None:
    with pytest.raises(Conflict, match=f"the course {made} already"):
        editing.create_course(two())
    editing.retire_course(made)
    with pytest.raises(Conflict, match=f"the course {made} already"):
        editing.create_course(two())


def test_courses_that_are_not_there(db_session: scoped_session) -> None:
    for act in (
        lambda: editing.replace_course(UNKNOWN, two()),
        lambda: editing.change_course(UNKNOWN, {"title": "x"}),
        lambda: editing.retire_course(UNKNOWN),
        lambda: listing.course_detail(UNKNOWN),
        lambda: listing.course_source(UNKNOWN),
        lambda: listing.lessons_page(UNKNOWN, None, 1, 20),
    ):
        with pytest.raises(NotFound) as found:
            act()
        assert found.value.code == "COURSE_NOT_FOUND"


@pytest.fixture
def from_files(db_session: scoped_session, tmp_path: Path) -> int:
    """The course of `test_loading.files`, from files; its id."""
    (written,) = samples.courses(samples.write(tmp_path, files()))
    services.apply_course(written, 1)
    return ids(db_session, Course)["tea"]


def test_a_course_from_files_is_not_written_over_the_api(from_files: int, db_session: scoped_session) -> None:
    before = everything(db_session)
    for act in (
        lambda: editing.create_course(two()),
        lambda: editing.replace_course(from_files, two()),
        lambda: editing.change_course(from_files, {"title": "x"}),
        lambda: editing.retire_course(from_files),
    ):
        with pytest.raises(Conflict, match="kept in files") as found:
            act()
        assert found.value.code == "CONFLICT"
    assert everything(db_session) == before
    assert listing.course_detail(from_files).origin == "files"
    with pytest.raises(NotFound, match="kept in files"):
        listing.course_source(from_files)


def test_loading_files_leaves_courses_of_the_api_alone(
    made: int, db_session: scoped_session, tmp_path: Path
) -> None:
    before = everything(db_session)
    (written,) = samples.courses(samples.write(tmp_path / "same", files()))
    for load in (
        lambda: services.refuse_taken_keys(["tea"]),
        lambda: services.plan_course(written, 1),
        lambda: services.apply_course(written, 1),
    ):
        with pytest.raises(Conflict, match="made over the API"):
            load()
    assert services.retire_courses({"coffee"}) == ()
    assert everything(db_session) == before


def test_new_lessons_are_told_of(db_session: scoped_session, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[LessonsPublished] = []
    monkeypatch.setitem(events._handlers, LessonsPublished, [told.append])
    made = editing.create_course(two())
    more = two()
    more["modules"][1]["lessons"].append(lesson(key="third"))
    editing.replace_course(made, more)
    editing.change_course(made, {"title": "Tea"})
    assert told == [
        LessonsPublished(made, "tea", "Making tea", 3, True),
        LessonsPublished(made, "tea", "Making tea", 1, False),
    ]


def test_the_easier_stand_first_and_those_from_files_before_others(from_files: int) -> None:
    editing.create_course(course(key="assam"))
    editing.create_course(course(key="bancha", difficulty="advanced"))
    editing.create_course(course(key="ceylon", difficulty="intermediate"))
    wanted = ["tea", "assam", "ceylon", "bancha"]
    assert [card.slug for card in queries.catalogue()] == wanted
    assert [entry.key for entry in listing.courses_page(1, 20).items] == wanted


def test_two_writers_one_wins_the_other_is_told(committed_app: Flask) -> None:
    with unit_of_work():
        made = editing.create_course(two())
    seen = version(made)
    db.session.rollback()

    def write(title: str) -> Any:
        with unit_of_work():
            return editing.change_course(made, {"title": title}, expected={seen})

    results = together(committed_app, [lambda title=f"By {n}": write(title) for n in range(6)])
    assert sum(isinstance(found, Stale) for found in results) == 5, results
    assert version(made) == seen + 1


def test_one_key_made_by_many_at_once_is_one_course(committed_app: Flask) -> None:
    def make() -> int:
        with unit_of_work():
            return editing.create_course(two())

    results = together(committed_app, [make] * 6)
    assert sum(type(found) is Conflict for found in results) == 5, results
    assert len(queries.catalogue()) == 1


def test_writers_of_the_whole_take_turns(committed_app: Flask) -> None:
    with unit_of_work():
        made = editing.create_course(two())
    db.session.rollback()

    def write(number: int) -> Any:
        with unit_of_work():
            return editing.replace_course(made, documents.course(module(lesson(key=f"lesson-{number}"))))

    results = together(committed_app, [lambda number=n: write(number) for n in range(6)])
    assert not [found for found in results if isinstance(found, Exception)]
    (part,) = listing.course_detail(made).modules
    (kept,) = part.lessons
    document = listing.course_source(made).document
    assert document["modules"][0]["lessons"][0]["key"] == kept.key, "the course is what its document says"
