"""The second factor: asked for when somebody signs in, set up and turned off in the settings."""

import segno
from flask import Blueprint, flash, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from codyverse.accounts import passkeys, second_factor, signing_in
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Conflict, Invalid
from codyverse.http import access as gate
from codyverse.http import seals
from codyverse.http.access import access, principal
from codyverse.http.limits import failures_of_second_factor, failures_per_address, failures_per_person
from codyverse.http.security import safe_next
from codyverse.web import held, owner
from codyverse.web.accounts import signed_in
from codyverse.web.forms import CodeForm, OwnerForm
from codyverse.web.render import page

bp = Blueprint("second_factor", __name__)
OVER = "That took too long, or your password has changed. Please begin again."


# --- signing in ---


def ask_page(form: CodeForm, status: int = 200) -> Response:
    """The page of the second step, for whoever holds a half that is good."""
    goal, half, site = safe_next(request.values.get("next")) or "", gate.half(), seals.passkey_site()
    who = signing_in.whose_half(half[0]) if half else None
    if who is None:
        return begin_again()
    state = second_factor.state(who)
    options = passkeys.request_options(site, seals.passkeys(), who) if site and state.passkeys else ""
    return page("pages/security/ask.html", status, form=form, next=goal, state=state, options=options)


def begin_again() -> Response:
    """The half is over."""
    flash(OVER)
    return redirect(url_for("accounts.sign_in_form", next=safe_next(request.values.get("next"))), 303)


@bp.get("/login/second")
@access("stranger")
def ask() -> Response:
    """The password was right: now the code."""
    return ask_page(CodeForm())


@bp.post("/login/second")
@failures_per_address
@failures_of_second_factor
@access("stranger")
def check() -> Response:
    """Begin the session, if the code is right."""
    form, half = CodeForm(), gate.half()
    try:
        with unit_of_work():
            agent = request.user_agent.string
            found = (
                signing_in.finish(half[0], form.text("code"), seals.second_factors(), agent) if half else None
            )
            if found is not None:
                held.restore(held.take(), found.user_id)
    except Invalid as fault:
        form.take(fault)
        return ask_page(form, 422)
    if found is None:
        return begin_again()
    return signed_in(found, safe_next(request.form.get("next")))


# --- settings: the authenticator app ---


def picture(address: str) -> Markup:
    """The QR code of an address, drawn into the page."""
    drawn = segno.make(address, error="m", micro=False).svg_inline(
        omitsize=True, border=4, svgclass="qr", lineclass="qr-dots", svgid="qr"
    )
    return Markup(drawn)  # noqa: S704 - made of squares by the library, holds no text of anybody


def _app_page(form: OwnerForm | None = None, status: int = 200) -> Response:
    """As it stands: to be set up, waiting for its first code, or set. Only the owner's browser may keep it."""
    who = principal()
    state = second_factor.state(who.id)
    secret = second_factor.waiting_secret(who.id, seals.second_factors()) if state.waiting else None
    address = second_factor.address_of(secret, who.email) if secret else ""
    response = page(
        "pages/security/app.html",
        status,
        form=form or OwnerForm(formdata=None),
        state=state,
        secret=secret or "",
        address=address,
        picture=picture(address) if secret else "",
        options=owner.options(state) if state.app else "",
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def codes_page(codes: tuple[str, ...], heading: str) -> Response:
    """The new recovery codes, on this answer, this once: no redirect, for they are kept nowhere."""
    response = page("pages/security/new_codes.html", codes=codes, heading=heading)
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/settings/security/app")
@access("learner")
def app() -> Response:
    """The authenticator app."""
    return _app_page()


@bp.post("/settings/security/app")
@failures_per_person
@access("learner")
def begin() -> Response:
    """Make a secret for an app; nothing is asked for before its first code was right."""
    form = OwnerForm()
    try:
        with unit_of_work():
            second_factor.begin_app(principal().id, form.text("current_password"), seals.second_factors())
    except Invalid as fault:
        form.take(fault)
        return _app_page(form, 422)
    return redirect(url_for(".app"), 303)


@bp.post("/settings/security/app/confirm")
@failures_per_person
@access("learner")
def confirm() -> Response:
    """From now on the app is asked for; show the recovery codes."""
    form = OwnerForm()
    try:
        with unit_of_work():
            codes = second_factor.confirm_app(principal().id, form.text("code"), seals.second_factors())
    except Invalid as fault:
        form.take(fault)
        return _app_page(form, 422)
    if codes:
        return codes_page(codes, "Your app is set up")
    flash("Your app is set up. From now on a code of it is asked for, or a passkey.")
    return redirect(url_for("security.show"), 303)


@bp.post("/settings/security/app/stop")
@access("learner")
def stop() -> Response:
    """Do not set it up after all."""
    with unit_of_work():
        second_factor.stop_setting_up(principal().id)
    return redirect(url_for("security.show"), 303)


@bp.post("/settings/security/app/off")
@failures_per_person
@access("learner")
def turn_off() -> Response:
    """The app is asked for no longer."""
    form = OwnerForm()
    try:
        with unit_of_work():
            second_factor.turn_off_app(principal().id, owner.shown(form))
    except Invalid as fault:
        form.take(fault)
        return _app_page(form, 422)
    flash("The authenticator app is turned off.")
    return redirect(url_for("security.show"), 303)


# --- settings: recovery codes ---


def _renew_page(form: OwnerForm, status: int = 200) -> Response:
    state = second_factor.state(principal().id)
    return page("pages/security/codes.html", status, form=form, state=state, options=owner.options(state))


@bp.get("/settings/security/codes")
@access("learner")
def codes() -> Response:
    """How many recovery codes are left, and a form for new ones."""
    return _renew_page(OwnerForm())


@bp.post("/settings/security/codes")
@failures_per_person
@access("learner")
def renew() -> Response:
    """New recovery codes in place of the old ones. Sending it again needs another code, and makes others."""
    form = OwnerForm()
    try:
        with unit_of_work():
            made = second_factor.renew_codes(principal().id, owner.shown(form))
    except Invalid as fault:
        form.take(fault)
        return _renew_page(form, 422)
    except Conflict as fault:
        form.general = [fault.message]
        return _renew_page(form, 409)
    return codes_page(made, "Your new recovery codes")
