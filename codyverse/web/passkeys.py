"""Passkeys: to sign in with, as the second step, and in the settings. The browser's script only fills a form."""

from flask import Blueprint, flash, redirect, request, session, url_for
from werkzeug.wrappers import Response

from codyverse.accounts import passkeys, second_factor
from codyverse.accounts.passkeys import Site
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Conflict, Invalid, NotFound
from codyverse.http import access as gate
from codyverse.http import seals
from codyverse.http.access import access, principal
from codyverse.http.limits import failures_of_second_factor, failures_per_address, failures_per_person
from codyverse.http.security import safe_next
from codyverse.web import held, owner
from codyverse.web.accounts import sign_in_page, signed_in
from codyverse.web.forms import CodeForm, OwnerForm, PasskeyForm, SignInForm
from codyverse.web.render import page
from codyverse.web.second_factor import ask_page, begin_again, codes_page

bp = Blueprint("passkeys", __name__)
ADDING = "adding"


def _site() -> Site:
    """Raises NotFound where there can be no passkeys."""
    site = seals.passkey_site()
    if site is None:
        raise NotFound(
            "Browsers make passkeys only for sites with a name, and this one has a bare number for an address."
        )
    return site


# --- signing in ---


@bp.post("/login/passkey")
@failures_per_address
@access("stranger")
def sign_in() -> Response:
    """Begin a session with a passkey alone."""
    site, given = _site(), request.form.get("credential", "")
    try:
        with unit_of_work():
            begun = passkeys.sign_in(given, site, seals.passkeys(), request.user_agent.string)
            held.restore(held.take(), begun.user_id)
    except Invalid as fault:
        form = SignInForm(formdata=None)
        form.general = fault.fields["credential"]
        return sign_in_page(form, 422)
    return signed_in(begun, safe_next(request.form.get("next")))


@bp.post("/login/second/passkey")
@failures_per_address
@failures_of_second_factor
@access("stranger")
def second() -> Response:
    """Begin the session with a passkey after the password."""
    site, half, given = _site(), gate.half(), request.form.get("credential", "")
    agent = request.user_agent.string
    try:
        with unit_of_work():
            begun = passkeys.finish(half[0], given, site, seals.passkeys(), agent) if half else None
            if begun is not None:
                held.restore(held.take(), begun.user_id)
    except Invalid as fault:
        form = CodeForm(formdata=None)
        form.general = fault.fields["credential"]
        return ask_page(form, 422)
    if begun is None:
        return begin_again()
    return signed_in(begun, safe_next(request.form.get("next")))


# --- settings ---


def _page(form: OwnerForm | None = None, status: int = 200, *, adding: PasskeyForm | None = None) -> Response:
    """The passkeys there are; and, when the password was given a moment ago, what the browser needs to make one."""
    who, site = principal(), seals.passkey_site()
    may_add = site is not None and passkeys.may_add(who.id, session.get(ADDING, ""))
    response = page(
        "pages/security/passkeys.html",
        status,
        form=form or OwnerForm(formdata=None),
        adding=adding or PasskeyForm(formdata=None),
        options=passkeys.creation_options(who.id, site, seals.passkeys()) if site and may_add else "",
        kept=passkeys.passkeys_of(who.id),
        state=second_factor.state(who.id),
        possible=site is not None,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/settings/security/passkeys")
@access("learner")
def show() -> Response:
    """The person's passkeys."""
    return _page()


@bp.post("/settings/security/passkeys")
@failures_per_person
@access("learner")
def begin() -> Response:
    """The password first; then the browser may make a passkey."""
    form = OwnerForm()
    _site()
    try:
        with unit_of_work():
            key = passkeys.allow_adding(principal().id, form.text("current_password"))
    except Invalid as fault:
        form.take(fault)
        return _page(form, 422)
    session[ADDING] = key
    return redirect(url_for(".show") + "#make", 303)


@bp.post("/settings/security/passkeys/add")
@failures_per_person
@access("learner")
def add() -> Response:
    """Keep the passkey that the browser has made."""
    form = PasskeyForm()
    key, given = session.get(ADDING, ""), (form.text("name"), form.text("credential"))
    try:
        with unit_of_work():
            codes = passkeys.add(principal().id, key, *given, _site(), seals.passkeys())
    except Invalid as fault:
        form.take(fault)
        return _page(status=422, adding=form)
    except Conflict as fault:
        form.general = [fault.message]
        return _page(status=409, adding=form)
    session.pop(ADDING, None)
    if codes:
        return codes_page(codes, "Your passkey is added")
    flash("The passkey is added.")
    return redirect(url_for(".show"), 303)


@bp.post("/settings/security/passkeys/<id:passkey_id>/remove")
@failures_per_person
@access("learner")
def remove(passkey_id: int) -> Response:
    """Take one of one's own passkeys away."""
    form = OwnerForm()
    try:
        with unit_of_work():
            passkeys.remove(principal().id, passkey_id, owner.shown(form))
    except Invalid as fault:
        form.take(fault)
        return _remove_page(passkey_id, form, 422)
    flash("The passkey is removed. You may also delete it from the device.")
    return redirect(url_for(".show"), 303)


def _remove_page(passkey_id: int, form: OwnerForm, status: int = 200) -> Response:
    who = principal()
    found = next((each for each in passkeys.passkeys_of(who.id) if each.id == passkey_id), None)
    if found is None:
        raise NotFound("There is no such passkey.")
    state = second_factor.state(who.id)
    is_last = state.passkeys == 1 and not state.app
    options = owner.options(state) if is_last else ""
    return page(
        "pages/security/passkey_remove.html",
        status,
        form=form,
        passkey=found,
        is_last=is_last,
        state=state,
        options=options,
    )


@bp.get("/settings/security/passkeys/<id:passkey_id>/remove")
@access("learner")
def remove_form(passkey_id: int) -> Response:
    """Asks for what shows that it is the owner."""
    return _remove_page(passkey_id, OwnerForm())
