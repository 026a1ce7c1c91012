"""Courses over the API: everybody reads, authors write courses, all of them the same ones.

What reads and renders a document is imported by the writes only: most processes never need it.
"""

import re

from flask import request
from werkzeug.http import http_date

from codyverse.api.operation import Reply, leads_to, operation
from codyverse.api.schemas.common import Page, PageQuery
from codyverse.api.schemas.courses import (
    CourseChangeIn,
    CourseEntryOut,
    CourseIn,
    CourseOut,
    CourseSourceOut,
    LessonEntryOut,
    LessonOut,
    LessonsQuery,
)
from codyverse.courses import listing

TAG = "Courses"
_VERSION = re.compile(r"v([0-9]{1,18})")
EXAMPLE = {
    "key": "tea",
    "title": "Making tea",
    "summary": "From the kettle to the cup.",
    "difficulty": "beginner",
    "skills": {"water": "Water"},
    "description": "For *anyone* who likes tea.",
    "modules": [
        {
            "key": "basics",
            "title": "The basics",
            "summary": "Water and leaves.",
            "lessons": [
                {
                    "key": "first-cup",
                    "title": "The first cup",
                    "summary": "A cup in minutes.",
                    "goal": "You can make a cup.",
                    "difficulty": "beginner",
                    "minutes": 5,
                    "steps": [
                        {
                            "key": "boil",
                            "title": "Boil",
                            "skills": ["water"],
                            "body": "Water **boils** at 100 °C.",
                        },
                        {
                            "key": "how-hot",
                            "title": "How hot?",
                            "skills": ["water"],
                            "body": "Which water draws out the taste?",
                            "exercise": {
                                "kind": "choice",
                                "level": 1,
                                "options": [
                                    {
                                        "id": "hot",
                                        "text": "Hot",
                                        "correct": True,
                                        "why": "Heat draws it out.",
                                    },
                                    {"id": "cold", "text": "Cold", "why": "That takes hours."},
                                ],
                                "right": "Hot water does it in minutes.",
                                "wrong": "Think of the steam.",
                            },
                        },
                    ],
                }
            ],
        }
    ],
}


@operation(
    "GET",
    "/courses",
    "listCourses",
    tag=TAG,
    summary="All courses",
    policy="anyone",
    scope="courses:read",
    query=PageQuery,
    returns=Page[CourseEntryOut],
    errors=("FORBIDDEN",),
    of_content=True,
)
def list_courses(query: PageQuery) -> Reply:
    """The easier ones first, as in the catalogue. Open to everybody, as its page is."""
    found = listing.courses_page(query.page, query.per_page)
    items = [CourseEntryOut.model_validate(each) for each in found.items]
    return Reply(
        Page[CourseEntryOut](items=items, page=query.page, per_page=query.per_page, total=found.total)
    )


@operation(
    "POST",
    "/courses",
    "createCourse",
    tag=TAG,
    summary="Make a course",
    policy="author",
    scope="courses:write",
    body=CourseIn,
    returns=CourseOut,
    status=201,
    errors=("CONFLICT",),
    example=EXAMPLE,
    links=leads_to(
        "getCourse",
        "getCourseSource",
        "replaceCourse",
        "changeCourse",
        "listLessons",
        "retireCourse",
        courseId="$response.body#/data/id",
    ),
)
def create_course(body: CourseIn) -> Reply:
    """Send the whole course, with the field names of the site's course files. `details` names each fault by its place,
    such as `modules.0.lessons.1.steps.2.exercise.options`. Courses of the API have no pictures. A key that is taken is a
    conflict, also when its course is retired: PUT offers that one again.
    """
    from codyverse.courses import editing

    course_id = editing.create_course(body.model_dump(by_alias=True, exclude_unset=True))
    return _course(course_id, "The course was made.", location=f"/api/courses/{course_id}")


@operation(
    "GET",
    "/courses/<id:course_id>",
    "getCourse",
    tag=TAG,
    summary="A course with its modules and lessons",
    policy="anyone",
    scope="courses:read",
    returns=CourseOut,
    errors=("COURSE_NOT_FOUND", "NOT_FOUND", "FORBIDDEN"),
    of_content=True,
)
def get_course(course_id: int) -> Reply:
    """Open to everybody, as its page is. The ETag is the version that If-Match compares."""
    return _course(course_id)


@operation(
    "GET",
    "/courses/<id:course_id>/source",
    "getCourseSource",
    tag=TAG,
    summary="A course as it was sent, to change it",
    policy="author",
    scope="courses:write",
    returns=CourseSourceOut,
    errors=("COURSE_NOT_FOUND", "NOT_FOUND"),
)
def get_course_source(course_id: int) -> Reply:
    """With the right answers, so for authors only. Also of a course that is retired. Change it and PUT it back, with the
    ETag as If-Match.
    """
    found = listing.course_source(course_id)
    return Reply(
        CourseSourceOut(source=found.document),
        version=_tag(found.version),
        headers={"Last-Modified": http_date(found.updated_at), "Cache-Control": "no-store"},
    )


@operation(
    "PUT",
    "/courses/<id:course_id>",
    "replaceCourse",
    tag=TAG,
    summary="Replace a course",
    policy="author",
    scope="courses:write",
    body=CourseIn,
    returns=CourseOut,
    errors=("COURSE_NOT_FOUND", "NOT_FOUND", "CONFLICT"),
    conditional=True,
    example=EXAMPLE,
)
def replace_course(course_id: int, body: CourseIn) -> Reply:
    """The course becomes what is sent. Keys keep what learners have done; what is left out is retired, never deleted, and
    comes back with its key. A retired course is offered again. Without If-Match the last writer wins.
    """
    from codyverse.courses import editing

    editing.replace_course(course_id, body.model_dump(by_alias=True, exclude_unset=True), _expected())
    return _course(course_id, "The course was replaced.")


@operation(
    "PATCH",
    "/courses/<id:course_id>",
    "changeCourse",
    tag=TAG,
    summary="Change a course's own fields",
    policy="author",
    scope="courses:write",
    body=CourseChangeIn,
    returns=CourseOut,
    errors=("COURSE_NOT_FOUND", "NOT_FOUND", "CONFLICT"),
    conditional=True,
    example={"title": "All about tea"},
)
def change_course(course_id: int, body: CourseChangeIn) -> Reply:
    """What is left out stays as it is, and so do the modules. Without If-Match the last writer wins."""
    from codyverse.courses import editing

    editing.change_course(course_id, body.model_dump(by_alias=True, exclude_unset=True), _expected())
    return _course(course_id, "Saved.")


@operation(
    "DELETE",
    "/courses/<id:course_id>",
    "retireCourse",
    tag=TAG,
    summary="Retire a course",
    policy="author",
    scope="courses:write",
    errors=("COURSE_NOT_FOUND", "NOT_FOUND", "CONFLICT"),
    conditional=True,
)
def retire_course(course_id: int) -> Reply:
    """It is offered no longer; nobody loses what it brought, and open attempts may be finished. Again it is 204 too, so
    that a lost answer may be asked for again. PUT offers the course again.
    """
    from codyverse.courses import editing

    editing.retire_course(course_id, _expected())
    return Reply()


@operation(
    "GET",
    "/courses/<id:course_id>/lessons",
    "listLessons",
    tag=TAG,
    summary="The lessons of a course",
    policy="anyone",
    scope="courses:read",
    query=LessonsQuery,
    returns=Page[LessonEntryOut],
    errors=("COURSE_NOT_FOUND", "NOT_FOUND", "FORBIDDEN"),
    of_content=True,
)
def list_lessons(course_id: int, query: LessonsQuery) -> Reply:
    """In their order; a module that is not in the course has none."""
    found = listing.lessons_page(course_id, query.module_id, query.page, query.per_page)
    items = [LessonEntryOut.model_validate(each) for each in found.items]
    return Reply(
        Page[LessonEntryOut](items=items, page=query.page, per_page=query.per_page, total=found.total)
    )


@operation(
    "GET",
    "/lessons/<id:lesson_id>",
    "getLesson",
    tag=TAG,
    summary="A lesson",
    policy="anyone",
    scope="courses:read",
    returns=LessonOut,
    errors=("LESSON_NOT_FOUND", "NOT_FOUND", "FORBIDDEN"),
    of_content=True,
)
def get_lesson(lesson_id: int) -> Reply:
    """What it is about, and its steps by title and kind. To do it, begin an attempt."""
    found = listing.lesson_view(lesson_id)
    about = found.lesson
    fields = {name: getattr(about, name) for name in LessonOut.model_fields if hasattr(about, name)}
    own = {"key": found.key, "module_id": found.module_id, "steps": found.steps}
    data = LessonOut.model_validate(fields | own | {"course_key": about.course_slug})
    return Reply(data, headers={"Last-Modified": http_date(found.updated_at)})


def _course(course_id: int, message: str = "OK", location: str | None = None) -> Reply:
    found = listing.course_detail(course_id)
    headers = {"Last-Modified": http_date(found.updated_at)}
    return Reply(
        CourseOut.model_validate(found),
        message,
        location=location,
        version=_tag(found.version),
        headers=headers,
    )


def _tag(version: int) -> str:
    return f"v{version}"


def _expected() -> frozenset[int] | None:
    """The versions that If-Match names; None when any will do. What is no version of ours matches nothing."""
    if not request.headers.get("If-Match") or request.if_match.star_tag:
        return None
    named = (_VERSION.fullmatch(tag.partition(":")[0]) for tag in request.if_match.as_set() if tag)
    return frozenset(int(found[1]) for found in named if found)
