"""Pages of courses: the catalogue, and a course as a constellation."""

from flask import Blueprint
from werkzeug.wrappers import Response

from codyverse.courses import queries
from codyverse.http.access import access, principal_or_none
from codyverse.http.away import opens_while_away
from codyverse.progress import queries as progress
from codyverse.web import constellation
from codyverse.web.render import page

bp = Blueprint("courses", __name__, url_prefix="/courses")


@bp.get("")
@access("anyone")
@opens_while_away()
def catalogue() -> Response:
    """All courses, and how far the learner is in each."""
    who = principal_or_none()
    done = progress.course_progress(who.id) if who else {}
    return page("pages/courses/catalogue.html", courses=queries.catalogue(), done=done)


@bp.get("/<slug>")
@access("anyone")
@opens_while_away()
def show(slug: str) -> Response:
    """One course: its lessons as stars, lit as they are finished."""
    course = queries.course_outline(slug)
    who = principal_or_none()
    states = progress.lesson_states(who.id, course.id) if who else {}
    return page(
        "pages/courses/course.html", course=course, states=states, charts=constellation.charts(course, states)
    )
