"""Notifications: the bell, the list, what is read, how somebody wants to hear of things."""

from typing import Any

from flask import Blueprint, flash, make_response, redirect, request, url_for
from werkzeug.wrappers import Response

from codyverse import mailing
from codyverse.accounts.queries import Principal
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Invalid
from codyverse.gamification import queries as game
from codyverse.http.access import access, principal
from codyverse.http.reading import reads_primary
from codyverse.http.repeating import harmless_again
from codyverse.http.security import BIGINT_MAX
from codyverse.notifications import queries, services
from codyverse.notifications.rules import KINDS, visible_kinds
from codyverse.web import htmx
from codyverse.web.forms import NotificationsForm
from codyverse.web.render import fragment, page

bp = Blueprint("notifications", __name__)
LIST = "pages/notifications/notifications.html"
PER_PAGE = 30
STANDING = frozenset({"xp", "coins", "streak", "goals"})
"""The mechanics without which the dashboard has no standing."""


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else otherwise


@bp.get("/notifications")
@access("learner")
def show() -> Response:
    """What happened, newest first; only what is unread if asked."""
    who = principal()
    unread = request.args.get("show") == "unread"
    before = _number(request.args.get("before", ""), BIGINT_MAX)
    news = queries.listing(who.id, who.preferences.hidden, before, PER_PAGE, unread_only=unread)
    if htmx.wants_fragment():
        return fragment(LIST, "list", news=news, unread=unread, first=before == BIGINT_MAX)
    return page(LIST, news=news, unread=unread, first=before == BIGINT_MAX)


def _standing_on(who: Principal) -> dict[str, Any]:
    """What the page that asks shows of the game beside its head: the dashboard its goals, streak and level."""
    if request.args.get("on") != "dashboard" or who.preferences.hidden >= STANDING:
        return {"goals": None}
    board = game.board(who.id, now())
    return {"hud": board.card, "goals": board.goals}


@bp.get("/notifications/bell")
@access("learner")
@reads_primary
def bell() -> Response:
    """The bell as it is now, the standing beside it, and what is new since the state in `after`.

    Open pages ask for it when the stream says so, or, where there is no stream, now and then: 304 while nothing
    has changed, after two small statements.
    """
    who = principal()
    current = queries.bell(who.id, who.preferences.hidden)
    tag = f"{current.state}.{current.unread}"
    if tag in request.if_none_match:
        response = make_response("", 304)
    else:
        seen = _number(request.args.get("after", "").partition(".")[0], current.latest)
        titles = queries.newer_titles(who.id, seen, who.preferences.hidden) if seen < current.latest else ()
        response = fragment(
            "pages/notifications/bell.html", "live_bell", bell=current, titles=titles, **_standing_on(who)
        )
    response.set_etag(tag)
    response.headers["Cache-Control"] = "private, no-cache"
    return htmx.vary(response)


@bp.post("/notifications/<id:notification_id>/read")
@access("learner")
@harmless_again
def read(notification_id: int) -> Response:
    """Mark one as read."""
    with unit_of_work():
        services.mark_read(principal().id, notification_id)
    return show() if htmx.wants_fragment() else redirect(url_for(".show"), 303)


@bp.post("/notifications/read")
@access("learner")
@harmless_again
def read_all() -> Response:
    """Mark as read all that there was when the page was made."""
    with unit_of_work():
        services.mark_all_read(principal().id, _number(request.form.get("up_to", ""), BIGINT_MAX))
    return show() if htmx.wants_fragment() else redirect(url_for(".show"), 303)


def _settings_page(form: NotificationsForm | None = None, status: int = 200) -> Response:
    who = principal()
    if form is None:
        chosen = queries.choices(who.id)
        quiet = chosen.quiet or ("", "")
        form = NotificationsForm(
            formdata=None,
            shown=[kind for kind in KINDS if kind not in chosen.page_off],
            mailed=sorted(chosen.mail_kinds),
            mail_hour=str(chosen.mail_hour),
            quiet_from=str(quiet[0]),
            quiet_until=str(quiet[1]),
        )
    kinds = visible_kinds(who.preferences.hidden)
    can_mail = mailing.can_mail()
    return page("pages/notifications/settings.html", status, form=form, kinds=kinds, can_mail=can_mail)


@bp.get("/notifications/settings")
@access("learner")
def settings() -> Response:
    """What to hear of, where, and when not."""
    return _settings_page()


@bp.post("/notifications/settings")
@access("learner")
def change_settings() -> Response:
    """Save it. Kinds of hidden mechanics are not on the form and stay as they are."""
    form, who = NotificationsForm(), principal()
    before = queries.choices(who.id)
    offered = set(visible_kinds(who.preferences.hidden))
    try:
        shown, mailed, quiet = form.kinds("shown"), form.kinds("mailed"), form.quiet()
        with unit_of_work():
            services.choose(
                who.id,
                page_off=(offered - shown) | (before.page_off - offered),
                mail_kinds=mailed | (before.mail_kinds - offered),
                mail_hour=_number(form.text("mail_hour"), -1),
                quiet=quiet,
            )
    except Invalid as fault:
        form.take(fault)
        return _settings_page(form, 422)
    flash("Saved.")
    return redirect(url_for(".settings"), 303)
