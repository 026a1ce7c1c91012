"""Links that came by mail: a new password, a confirmed address, another address. Mail programs open links to look at
them, so each asks once more with a button.
"""

from flask import Blueprint, flash, redirect, session, url_for
from werkzeug.wrappers import Response

from codyverse import mailing
from codyverse.accounts import mail_addresses, one_time, recovery
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Conflict, Invalid
from codyverse.http import access as gate
from codyverse.http.access import access
from codyverse.http.limits import failures_per_address, links_per_address
from codyverse.web.forms import ForgotForm, NewPasswordForm
from codyverse.web.render import page

bp = Blueprint("recovery", __name__)
ASKED = "asked"


def _page(template: str, status: int = 200, **context: object) -> Response:
    """A page whose address holds a key: kept nowhere."""
    response = page(template, status, **context)
    response.headers["Cache-Control"] = "no-store"
    return response


def _over(what: str, status: int = 404) -> Response:
    """The link is used, over, or a part of it is missing."""
    return _page("pages/recovery/over.html", status, what=what)


# --- a forgotten password ---


@bp.get("/forgot")
@access("anyone")
def forgot_form() -> Response:
    """Asks for the address."""
    asked = session.pop(ASKED, "")
    return page("pages/recovery/forgot.html", form=ForgotForm(), asked=asked, can_mail=mailing.can_mail())


@bp.post("/forgot")
@links_per_address
@access("anyone")
def forgot() -> Response:
    """Mail a link, if there is such an account. The answer is the same in every case."""
    form = ForgotForm()
    with unit_of_work():
        recovery.ask_reset(form.text("email"), mailing.links())
    session[ASKED] = form.text("email").strip()[:254]
    return redirect(url_for(".forgot_form"), 303)


@bp.get("/reset/<key>")
@access("anyone")
def reset_form(key: str) -> Response:
    """Asks for the new password."""
    if not recovery.works(key):
        return _over("reset")
    return _page("pages/recovery/reset.html", form=NewPasswordForm(), key=key)


@bp.post("/reset/<key>")
@failures_per_address
@access("anyone")
def reset(key: str) -> Response:
    """Set the new password; whoever was signed in is signed out."""
    form = NewPasswordForm()
    try:
        with unit_of_work():
            done = recovery.reset(key, form.text("new_password"))
    except Invalid as fault:
        form.take(fault)
        return _page("pages/recovery/reset.html", 422, form=form, key=key)
    if not done:
        return _over("reset")
    gate.end_session()
    flash("Your new password is set, and all devices are signed out. Now sign in with it.")
    return redirect(url_for("accounts.sign_in_form"), 303)


# --- an address is confirmed ---


@bp.get("/confirm/<key>")
@access("anyone")
def confirm_page(key: str) -> Response:
    """Asks once more."""
    found = one_time.look(key, mail_addresses.CONFIRM)
    if found is None:
        return _over("confirm")
    return _page("pages/recovery/confirm.html", key=key, address=found.details["to"])


@bp.post("/confirm/<key>")
@access("anyone")
def confirm(key: str) -> Response:
    """The address is confirmed."""
    with unit_of_work():
        done = mail_addresses.confirm(key)
    if not done:
        return _over("confirm")
    flash("Thank you. Your address is confirmed.")
    return redirect(url_for("accounts.sign_in_form"), 303)


# --- another address ---


@bp.get("/change-address/<key>")
@access("anyone")
def change_page(key: str) -> Response:
    """Asks once more."""
    to = mail_addresses.change_of(key)
    if to is None:
        return _over("change")
    return _page("pages/recovery/change.html", key=key, address=to, fault="")


@bp.post("/change-address/<key>")
@access("anyone")
def change(key: str) -> Response:
    """One of the two addresses agrees."""
    try:
        with unit_of_work():
            changed = mail_addresses.agree_to_change(key)
    except Conflict as fault:
        to = mail_addresses.change_of(key) or ""
        return _page("pages/recovery/change.html", 409, key=key, address=to, fault=fault.message)
    if changed is None:
        return _over("change")
    flash(
        "The address of your account is changed."
        if changed
        else "Thank you. The change is done as soon as the link in the other mailbox has been followed."
    )
    return redirect(url_for("accounts.sign_in_form"), 303)
