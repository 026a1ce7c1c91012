"""What is kept of courses is never stale: not in another process, not after a write that went around the program."""

from contextlib import closing

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import text

from codyverse import create_app
from codyverse.core.database import db, session, unit_of_work
from codyverse.core.errors import NotFound
from codyverse.core.libpq import words_of
from codyverse.courses import queries, versions
from codyverse.courses.services import apply_course
from tests.conftest import settings_for
from tests.domains.study import Plan, course_source, make_course
from tests.waiting import eventually

OFFERED = "update lessons set title = 'Elsewhere' where id = :id"


def titles() -> list[str]:
    return [card.title for card in queries.catalogue()]


def test_another_process_sees_what_was_written_at_once(committed_app: Flask) -> None:
    make_course(Plan(), key="shared")
    url = committed_app.extensions["settings"].database_url
    other = create_app(settings_for(url))
    assert titles() == ["Course shared"]
    with other.app_context():
        assert titles() == ["Course shared"]
    make_course(Plan(), key="another")
    with other.app_context():
        assert sorted(titles()) == ["Course another", "Course shared"]
        session.remove()
        db.engine.dispose()


def test_what_another_process_writes_reaches_strangers_in_a_moment(committed_app: Flask) -> None:
    """Many strangers share a look at the version; so it is a twentieth of a second old at most."""
    [lesson_id] = make_course(Plan())
    assert queries.lesson(lesson_id).title == "Lesson 1"
    url = committed_app.extensions["settings"].database_url
    with closing(psycopg2.connect(**words_of(url))) as other, other, other.cursor() as cursor:
        cursor.execute(OFFERED.replace(":id", "%s"), [lesson_id])
    assert eventually(lambda: queries.lesson(lesson_id).title == "Elsewhere")


def test_a_write_around_the_program_counts_too(db_session) -> None:
    [lesson_id] = make_course(Plan())
    assert queries.lesson(lesson_id).title == "Lesson 1"
    db_session.execute(text(OFFERED), {"id": lesson_id})
    assert queries.lesson(lesson_id).title == "Elsewhere"


def test_what_was_undone_was_never_kept(committed_app: Flask) -> None:
    make_course(Plan(), key="kept")

    def half_a_write() -> None:
        with unit_of_work():
            versions.about_to_write()
            session.execute(text("update courses set title = 'Half done'"))
            assert titles() == ["Half done"]
            raise LookupError

    with pytest.raises(LookupError):
        half_a_write()
    assert titles() == ["Course kept"]


def test_what_is_not_there_is_asked_for_each_time(db_session) -> None:
    with pytest.raises(NotFound):
        queries.course_outline("later")
    make_course(Plan(), key="later")
    assert queries.course_outline("later").title == "Course later"


def test_a_load_that_changes_nothing_keeps_the_version(db_session) -> None:
    source = course_source("same", Plan())
    with unit_of_work():
        assert apply_course(source, 1)
    before = versions.content_version()
    with unit_of_work():
        assert not apply_course(source, 1)
    assert versions.content_version() == before


def test_each_table_of_courses_names_a_new_version(db_session) -> None:
    [lesson_id] = make_course(Plan())
    seen = [versions.content_version()]
    for table in ("courses", "modules", "lessons", "steps"):
        db_session.execute(text(f"update {table} set position = position + 1"))
        seen.append(versions.content_version())
    assert len(set(seen)) == 5
    assert lesson_id
