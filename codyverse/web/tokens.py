"""The page of access tokens: what programs may do for somebody. Made and ended here, with a session only."""

from datetime import datetime, timedelta

from flask import Blueprint, flash, redirect, url_for
from werkzeug.wrappers import Response

from codyverse.accounts import tokens
from codyverse.accounts.queries import Principal
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Conflict, Invalid
from codyverse.http.access import access, principal
from codyverse.web.forms import TOKEN_DAYS, TokenForm
from codyverse.web.render import page

bp = Blueprint("tokens", __name__)


def _offered(who: Principal) -> dict[str, str]:
    """The scopes that this person may give a token, each with what it allows in plain words."""
    allowed = tokens.allowed_scopes(who.role, by_operator=who.role == "operator")
    return {scope: words for scope, words in tokens.SCOPES.items() if scope in allowed}


def _page(form: TokenForm | None = None, status: int = 200, *, secret: str = "") -> Response:
    """The page; with a new token's `secret` no cache may keep it, not even the browser's own."""
    who = principal()
    form = form or TokenForm(formdata=None, scopes=sorted(tokens.READS), days="90")
    response = page(
        "pages/tokens/tokens.html",
        status,
        form=form,
        offered=_offered(who),
        kept=tokens.tokens_of(who.id),
        secret=secret,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/settings/tokens")
@access("learner")
def show() -> Response:
    """The tokens that work, and a form for another one."""
    return _page()


@bp.post("/settings/tokens")
@access("learner")
def create() -> Response:
    """Make a token and show it on this answer, this once: no redirect, for its text is kept nowhere.

    Sending the form again makes another one.
    """
    form, who = TokenForm(), principal()
    try:
        with unit_of_work():
            secret, _ = tokens.issue_token(
                who.id,
                form.text("name"),
                _chosen(form, who),
                _end(form.text("days")),
                by_operator=who.role == "operator",
            )
    except Invalid as fault:
        form.take(fault)
        return _page(form, 422)
    except Conflict as fault:
        form.general = [fault.message]
        return _page(form, 409)
    return _page(secret=secret)


def _chosen(form: TokenForm, who: Principal) -> list[str]:
    """The scopes that were ticked. Raises Invalid for what was not on the form."""
    given: list[str] = form.scopes.data or []
    if not set(given) <= _offered(who).keys():
        raise Invalid({"scopes": ["Choose from this list."]})
    return given


def _end(days: str) -> datetime | None:
    """When the token ends; None for never. Raises Invalid for what was not on the form."""
    if days not in TOKEN_DAYS:
        raise Invalid({"days": ["Choose how long it works."]})
    return now() + timedelta(days=int(days)) if days != "never" else None


@bp.post("/settings/tokens/<id:token_id>/revoke")
@access("learner")
def revoke(token_id: int) -> Response:
    """End one of one's own tokens; programs that use it are refused from now on."""
    with unit_of_work():
        tokens.revoke_token(principal().id, token_id)
    flash("The token is revoked. Programs that use it are refused from now on.")
    return redirect(url_for(".show"), 303)
