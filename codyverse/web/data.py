"""One's own data: take it along, or have it erased."""

from flask import Blueprint, make_response
from werkzeug.wrappers import Response

from codyverse.accounts import people, second_factor
from codyverse.archives import writing
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Invalid
from codyverse.http import access as gate
from codyverse.http.access import access, principal
from codyverse.http.limits import failures_per_person
from codyverse.web import owner
from codyverse.web.forms import OwnerForm
from codyverse.web.render import page

bp = Blueprint("data", __name__)


def _page(form: OwnerForm, status: int = 200) -> Response:
    state = second_factor.state(principal().id)
    return page("pages/data/data.html", status, form=form, state=state, options=owner.options(state))


@bp.get("/settings/data")
@access("learner")
def show() -> Response:
    """What can be done with one's data."""
    return _page(OwnerForm())


@bp.get("/settings/data/archive")
@access("learner")
def archive() -> Response:
    """Everything about the person as one file."""
    made = writing.make(principal().id)
    response = make_response(made.data)
    response.headers["Content-Type"] = "application/zip"
    response.headers["Content-Disposition"] = f'attachment; filename="{made.name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.post("/settings/data/erase")
@failures_per_person
@access("learner")
def erase() -> Response:
    """Ask for the erasure. The receipt stands on this answer and in a mail; nobody is signed in any more."""
    form = OwnerForm()
    try:
        with unit_of_work():
            leaving = people.leave(principal().id, owner.shown(form))
    except Invalid as fault:
        form.take(fault)
        return _page(form, 422)
    gate.end_session()
    response = page("pages/data/leaving.html", leaving=leaving)
    response.headers["Cache-Control"] = "no-store"
    return response
