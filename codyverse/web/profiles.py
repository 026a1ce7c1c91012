"""The page that a learner may show to everybody, and the form in which they choose what stands on it."""

from flask import Blueprint, flash, redirect, url_for
from werkzeug.wrappers import Response

from codyverse.accounts import profiles
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Invalid
from codyverse.gamification import badge_queries
from codyverse.gamification import queries as game
from codyverse.http.access import access, principal, principal_or_none
from codyverse.progress import queries as progress
from codyverse.web.forms import PublicPageForm
from codyverse.web.render import page

bp = Blueprint("profiles", __name__)
_MECHANIC = {"badges": "badges", "level": "xp", "streak": "streak"}


@bp.get("/u/<handle>")
@access("anyone")
def show(handle: str) -> Response:
    """Somebody's public page; a learner who looks at it sees nothing of what they have left out for themselves."""
    found = profiles.public_page(handle)
    who = principal_or_none()
    hidden = who.preferences.hidden if who else frozenset()
    shown = {name for name in found.shown if _MECHANIC.get(name) not in hidden}
    response = page(
        "pages/profiles/profile.html",
        profile=found,
        shown=shown,
        card=game.player(found.user_id, now()) if shown & {"level", "streak"} else None,
        badges=badge_queries.earned_badges(found.user_id, hidden) if "badges" in shown else (),
        lessons=sum(progress.course_progress(found.user_id).values()) if "lessons" in shown else None,
    )
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _form_page(form: PublicPageForm, status: int = 200) -> Response:
    kept = profiles.own_profile(principal().id)
    return page("pages/profiles/edit.html", status, form=form, kept=kept, showable=profiles.SHOWABLE)


@bp.get("/settings/public")
@access("learner")
def edit() -> Response:
    """What the learner's public page shows, if there is one."""
    kept = profiles.own_profile(principal().id)
    chosen = {"handle": kept.handle, "public": kept.public, "shown": sorted(kept.shown)}
    return _form_page(PublicPageForm(formdata=None, **chosen))


@bp.post("/settings/public")
@access("learner")
def change() -> Response:
    """Save it."""
    form = PublicPageForm()
    try:
        with unit_of_work():
            profiles.change_profile_page(
                principal().id,
                handle=form.text("handle"),
                public=bool(form.public.data),
                shown=frozenset(form.shown.data or ()),
            )
    except Invalid as fault:
        form.take(fault)
        return _form_page(form, 422)
    flash("Saved.")
    return redirect(url_for(".edit"), 303)
