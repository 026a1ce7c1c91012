"""Mails: no more of them by one click, signed in or not; and in development, the mails themselves."""

from flask import Blueprint, abort, current_app, make_response, redirect, request, url_for
from werkzeug.wrappers import Response

from codyverse import mailing
from codyverse.core.database import unit_of_work
from codyverse.core.errors import NotFound
from codyverse.http.access import access
from codyverse.http.security import csrf
from codyverse.notifications import queries, services
from codyverse.web.render import page

bp = Blueprint("mails", __name__)


@bp.get("/mails/unsubscribe/<token>")
@access("anyone")
def unsubscribe_page(token: str) -> Response:
    """Asks once, for mail programs open links to look at them. Raises NotFound."""
    if not queries.has_subscription(token):
        raise NotFound("This link belongs to nobody. Perhaps a part of it is missing.")
    return page("pages/mails/unsubscribe.html", token=token, done=request.args.get("done") == "1")


@bp.post("/mails/unsubscribe/<token>")
@csrf.exempt  # type: ignore[untyped-decorator]  # mail programs send it by themselves (RFC 8058); the token in the address is what allows it
@access("anyone")
def unsubscribe(token: str) -> Response:
    """No more mails for whoever has this token; again is harmless. Mail programs get a plain 200."""
    with unit_of_work():
        services.unsubscribe(token)
    if request.form.get("List-Unsubscribe") == "One-Click":
        return make_response("", 200)
    return redirect(url_for(".unsubscribe_page", token=token, done=1), 303)


def _in_development() -> None:
    if current_app.config["CODYVERSE_ENV"] in {"staging", "production"}:
        abort(404)


@bp.get("/dev/mail")
@access("anyone")
def kept() -> Response:
    """The newest mails, instead of sending them; not in production."""
    _in_development()
    mails = [(each, mailing.write(each.kind, each.context)) for each in queries.kept_mails()]
    return page("pages/mails/kept.html", mails=mails, sends=mailing.server() is not None)


@bp.get("/dev/mail/<id:mail_id>/html")
@access("anyone")
def kept_html(mail_id: int) -> Response:
    """A mail as mail programs show it; not in production."""
    _in_development()
    found = queries.kept_mail(mail_id)
    return make_response(mailing.write(found.kind, found.context).html)
