"""What clients of the API read of courses: page by page, in few statements, and nothing of what is right."""

from dataclasses import asdict

import pytest
from sqlalchemy.orm import scoped_session

from codyverse.core.errors import NotFound
from codyverse.courses import editing, listing
from codyverse.courses.models import Lesson
from tests.domains.courses.documents import course, every_kind, lesson, module, step
from tests.domains.courses.test_loading import ids
from tests.domains.courses.test_queries import statements


def big(key: str, modules: int, lessons: int) -> int:
    return editing.create_course(
        course(
            *(
                module(
                    *(lesson(key=f"l{m}-{n}", title=f"Lesson {m} {n}") for n in range(lessons)), key=f"m{m}"
                )
                for m in range(modules)
            ),
            key=key,
        )
    )


def test_courses_page_by_page(db_session: scoped_session) -> None:
    for key in "abcde":
        editing.create_course(course(key=key))
    pages = [listing.courses_page(number, 2) for number in (1, 2, 3, 4)]
    assert [[entry.key for entry in page.items] for page in pages] == [["a", "b"], ["c", "d"], ["e"], []]
    assert {page.total for page in pages} == {5}
    entry = pages[0].items[0]
    assert (entry.origin, entry.lessons, entry.minutes, entry.difficulty) == ("api", 1, 7, "beginner")


def test_lessons_page_by_page_and_by_module(db_session: scoped_session) -> None:
    made, other = big("tea", 2, 3), big("coffee", 1, 1)
    detail = listing.course_detail(made)
    page = listing.lessons_page(made, None, 2, 4)
    assert ([item.key for item in page.items], page.total) == (["l1-1", "l1-2"], 6)
    second = listing.lessons_page(made, detail.modules[1].id, 1, 20)
    assert second.items == detail.modules[1].lessons
    assert second.total == 3
    strange = listing.course_detail(other).modules[0].id
    for module_id in (strange, 2**62, -1):
        assert listing.lessons_page(made, module_id, 1, 20) == listing.LessonPage((), 0)


def test_what_is_retired_is_left_out(db_session: scoped_session) -> None:
    made = big("tea", 2, 2)
    editing.replace_course(made, course(module(lesson(key="l0-1"), key="m0"), module(key="m1")))
    detail = listing.course_detail(made)
    assert [[item.key for item in part.lessons] for part in detail.modules] == [["l0-1"], []]
    assert listing.lessons_page(made, None, 1, 20).total == 1
    assert listing.courses_page(1, 20).items[0].lessons == 1
    with pytest.raises(NotFound) as found:
        listing.lesson_view(ids(db_session, Lesson)["l0-0"])
    assert found.value.code == "LESSON_NOT_FOUND"


def test_a_lesson_with_its_steps(db_session: scoped_session) -> None:
    made = editing.create_course(every_kind())
    (item,) = listing.course_detail(made).modules[0].lessons
    view = listing.lesson_view(item.id)
    assert (view.key, view.module_id, view.lesson.title) == ("first-cup", item.module_id, "The first cup")
    assert [(entry.position, entry.key, entry.kind) for entry in view.steps][:3] == [
        (1, "intro", "teach"),
        (2, "choice", "choice"),
        (3, "choices", "choices"),
    ]
    assert (item.steps, item.exercises, view.lesson.exercises) == (7, 6, 6)
    with pytest.raises(NotFound) as found:
        listing.lesson_view(2**62)
    assert found.value.code == "LESSON_NOT_FOUND"


def test_nothing_of_what_is_right_is_read(db_session: scoped_session) -> None:
    made = editing.create_course(every_kind())
    detail = listing.course_detail(made)
    shown = repr(
        [
            asdict(detail),
            asdict(listing.courses_page(1, 20)),
            asdict(listing.lessons_page(made, None, 1, 20)),
            asdict(listing.lesson_view(detail.modules[0].lessons[0].id)),
        ]
    )
    for secret in ("Heat draws", "Hot water it is", "thank you", "half an hour", "Brick", "cups"):
        assert secret not in shown


def test_as_many_statements_for_ten_times_the_size(db_session: scoped_session) -> None:
    counts = []
    for key, modules, lessons in (("small", 1, 1), ("large", 5, 6)):
        made = big(key, modules, lessons)
        lesson_id = listing.lessons_page(made, None, 1, 1).items[0].id
        with statements(db_session) as seen:
            listing.course_detail(made)
            listing.courses_page(1, 20)
            listing.lessons_page(made, None, 1, 20)
            listing.lesson_view(lesson_id)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 12


def test_a_step_that_moved_counts_from_one(db_session: scoped_session) -> None:
    made = editing.create_course(course(module(lesson(step("a"), step("b"), step("c")))))
    editing.replace_course(made, course(module(lesson(step("c"), step("a")))))
    view = listing.lesson_view(listing.lessons_page(made, None, 1, 1).items[0].id)
    assert [(entry.key, entry.position) for entry in view.steps] == [("c", 1), ("a", 2)]
