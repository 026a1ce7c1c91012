"""Signing in by the provider that the settings name: away to it, and back with who it is."""

import hmac
from typing import TYPE_CHECKING

import structlog
from flask import Blueprint, current_app, flash, redirect, request, session, url_for
from werkzeug.wrappers import Response

from codyverse.accounts import providers
from codyverse.core.database import unit_of_work
from codyverse.core.errors import NotAllowed, NotFound, NotIdentified
from codyverse.http import access as gate
from codyverse.http.access import access
from codyverse.http.limits import links_per_address
from codyverse.http.security import safe_next
from codyverse.web import held
from codyverse.web.accounts import signed_in

if TYPE_CHECKING:
    from codyverse.core.oidc import Provider

bp = Blueprint("providers", __name__)
log = structlog.get_logger("codyverse.providers")
ASKED = "provider"
FAILED = "Signing in by the provider did not work. Please try again, or sign in with your password."


def _provider() -> "Provider":
    """The one of the settings. Raises NotFound when there is none."""
    settings = current_app.extensions["settings"]
    if settings.oidc_issuer is None:
        raise NotFound("There is no sign-in provider here.")
    from codyverse.core.oidc import Provider  # 0.25 s and 6 MB, for sites that have one

    return Provider(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret)


def _back() -> str:
    return str(current_app.extensions["settings"].base_url) + url_for("providers.back")


def _failed(said: str) -> Response:
    flash(said)
    return redirect(url_for("accounts.sign_in_form"), 303)


@bp.get("/login/provider")
@links_per_address
@access("stranger")
def away() -> Response:
    """Send the browser to the provider; what has to be the same when it comes back stays in its signed cookie."""
    try:
        asked = _provider().ask(_back())
    except NotIdentified as fault:
        log.warning("sign-in provider", fault=str(fault))
        return _failed(FAILED)
    goal = safe_next(request.args.get("next"))
    session[ASKED] = {"state": asked.state, "nonce": asked.nonce, "verifier": asked.verifier, "next": goal}
    return redirect(asked.url, 303)


@bp.get("/login/provider/back")
@access("stranger")
def back() -> Response:
    """Back with a code, good once: begin the session. A GET that changes something, as the protocol has it; the state
    in the cookie shows that this browser asked.
    """
    asked = session.pop(ASKED, None)
    given = request.args.get("state", "")
    if not isinstance(asked, dict) or not hmac.compare_digest(asked["state"].encode(), given.encode()):
        return _failed(FAILED)
    if "code" not in request.args:
        return _failed(FAILED)
    provider = _provider()
    try:
        who = provider.identify(request.args["code"], _back(), asked["nonce"], asked["verifier"])
        with unit_of_work():
            begun = providers.sign_in(
                provider.issuer,
                who.subject,
                who.email,
                vouched=who.email_verified,
                name=who.name,
                agent=request.user_agent.string,
            )
            if begun.token is not None:
                held.restore(held.take(), begun.user_id)
    except NotIdentified as fault:
        log.warning("sign-in provider", fault=str(fault))
        return _failed(FAILED)
    except NotAllowed as fault:
        return _failed(fault.message)
    if begun.half is not None:
        gate.begin_half(begun.half, begun.user_id)
        return redirect(url_for("second_factor.ask", next=asked["next"]), 303)
    return signed_in(begun, asked["next"])
