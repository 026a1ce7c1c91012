"""Reading courses: what is offered, in few statements whatever the size."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.orm import scoped_session

from codyverse.core.errors import NotFound
from codyverse.courses import queries, services
from tests.domains.courses import samples
from tests.domains.courses.samples import COURSE, MODULE, lesson, step, write


@pytest.fixture
def load(db_session: scoped_session, tmp_path: Path):
    def apply(files: dict[str, str | bytes]) -> None:
        for place, course in enumerate(samples.courses(write(tmp_path, files)), 1):
            services.apply_course(course, place)

    return apply


@contextmanager
def statements(session: scoped_session) -> Iterator[list[str]]:
    seen: list[str] = []

    def record(_conn, _cursor, statement, *_rest) -> None:
        seen.append(statement)

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", record)
    try:
        yield seen
    finally:
        event.remove(connection, "before_cursor_execute", record)


def many(courses: int, modules: int, lessons: int) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {}
    for c in range(courses):
        files[f"c{c}/course.md"] = COURSE.replace("key: tea", f"key: c{c}")
        for m in range(modules):
            files[f"c{c}/{m:02}/module.md"] = MODULE.replace("basics", f"m{m}")
            for number in range(lessons):
                files[f"c{c}/{m:02}/{number:02}.md"] = lesson(
                    step("read", "Read."),
                    step("ask", "Which?", samples.CHOICE),
                    key=f"l{m}-{number}",
                    title=f"Lesson {m} {number}",
                )
    return files


def test_catalogue_and_outline(load, db_session: scoped_session) -> None:
    load(many(2, 3, 4))
    cards = queries.catalogue()
    assert [(card.slug, card.lessons, card.minutes, card.difficulty) for card in cards] == [
        ("c0", 12, 84, "beginner"),
        ("c1", 12, 84, "beginner"),
    ]
    outline = queries.course_outline("c1")
    assert outline.id == cards[1].id
    assert outline.description_html == "<p>For <em>anyone</em> who likes tea.</p>"
    assert [len(module.lessons) for module in outline.modules] == [4, 4, 4]
    item = outline.modules[1].lessons[2]
    assert (item.title, item.steps, item.exercises, item.minutes) == ("Lesson 1 2", 2, 1, 7)


def test_a_lesson_knows_its_place(load, db_session: scoped_session) -> None:
    load(many(2, 2, 2))
    (first, second), (third, last) = (module.lessons for module in queries.course_outline("c0").modules)
    found = queries.lesson(first.id)
    assert (found.course_slug, found.course_title, found.module_title) == ("c0", "Making tea", "The m0")
    assert (found.goal, found.steps, found.exercises, found.retired) == ("You can make a cup.", 2, 1, False)
    assert (found.next_lesson_id, found.next_lesson_title) == (second.id, "Lesson 0 1")
    assert queries.lesson(second.id).next_lesson_id == third.id
    assert queries.lesson(last.id).next_lesson_id is None


def test_steps_and_their_content(load, db_session: scoped_session) -> None:
    load(many(1, 1, 1))
    (item,) = queries.course_outline("c0").modules[0].lessons
    read, ask = queries.current_steps(item.id)
    assert (read.position, read.asks, ask.position, ask.asks) == (1, False, 2, True)
    content = queries.revisions([read.revision_id, ask.revision_id, 10**12])
    assert set(content) == {read.revision_id, ask.revision_id}
    assert content[read.revision_id].body_html == "<p>Read.</p>"
    assert content[read.revision_id].exercise is None
    found = content[ask.revision_id]
    assert (found.step_id, found.kind, found.skills, found.level) == (ask.step_id, "choice", ("water",), 1)


def test_an_empty_module_is_shown_without_lessons(load, db_session: scoped_session) -> None:
    load(many(1, 1, 1) | {"c0/09/module.md": MODULE})
    assert queries.course_outline("c0").modules[1].lessons == ()


def test_what_is_not_there(db_session: scoped_session) -> None:
    assert queries.catalogue() == ()
    assert queries.current_steps(1) == ()
    assert queries.revisions([]) == {}
    with pytest.raises(NotFound) as course:
        queries.course_outline("nowhere")
    assert course.value.code == "COURSE_NOT_FOUND"
    with pytest.raises(NotFound) as found:
        queries.lesson(10**15)
    assert found.value.code == "LESSON_NOT_FOUND"


@pytest.mark.parametrize(("courses", "modules", "lessons"), [(1, 1, 1), (3, 4, 5)])
def test_the_number_of_statements_does_not_grow(
    load, db_session: scoped_session, courses: int, modules: int, lessons: int
) -> None:
    load(many(courses, modules, lessons))
    with statements(db_session) as seen:
        queries.catalogue()
        assert len(seen) == 1
        outline = queries.course_outline("c0")
        assert len(seen) == 3
        lesson_id = outline.modules[0].lessons[0].id
        queries.lesson(lesson_id)
        assert len(seen) == 4
        pins = queries.current_steps(lesson_id)
        assert len(seen) == 5
        queries.revisions(pin.revision_id for pin in pins)
        assert len(seen) == 6
