"""How one signs in to the account: an overview, the sessions, the e-mail address."""

from flask import Blueprint, flash, redirect, url_for
from werkzeug.wrappers import Response

from codyverse import mailing
from codyverse.accounts import mail_addresses, people, second_factor, sessions
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Conflict, Invalid
from codyverse.http import access as gate
from codyverse.http import seals
from codyverse.http.access import access, principal
from codyverse.http.limits import failures_per_person
from codyverse.web.agents import spoken
from codyverse.web.forms import AddressForm
from codyverse.web.render import page

bp = Blueprint("security", __name__)


@bp.get("/settings/security")
@access("learner")
def show() -> Response:
    """What signs in to the account, each with the way to change it."""
    who = principal()
    return page(
        "pages/security/overview.html",
        person=people.person(who.id),
        state=second_factor.state(who.id),
        possible=seals.passkey_site() is not None,
        sessions=len(sessions.sessions_of(who.id)),
    )


# --- sessions ---


@bp.get("/settings/security/sessions")
@access("learner")
def list_sessions() -> Response:
    """The browsers in which the person is signed in."""
    who = principal()
    found = [(each, spoken(each.agent)) for each in sessions.sessions_of(who.id)]
    return page("pages/security/sessions.html", found=found, here=who.session_id)


@bp.post("/settings/security/sessions/<id:session_id>/end")
@access("learner")
def end_session(session_id: int) -> Response:
    """End one of one's own sessions; this one too, if it is named."""
    who = principal()
    with unit_of_work():
        sessions.end_session(who.id, session_id)
    if session_id == who.session_id:
        gate.end_session()
        return redirect(url_for("accounts.sign_in_form"), 303)
    flash("That device is signed out.")
    return redirect(url_for(".list_sessions"), 303)


@bp.post("/settings/security/sessions/others/end")
@access("learner")
def end_others() -> Response:
    """End all sessions but this one."""
    who = principal()
    with unit_of_work():
        sessions.sign_out_everywhere(who.id, keep=who.session_id)
    flash("All other devices are signed out.")
    return redirect(url_for(".list_sessions"), 303)


# --- the e-mail address ---


def _address_page(form: AddressForm, status: int = 200) -> Response:
    person = people.person(principal().id)
    return page("pages/security/address.html", status, form=form, person=person, can_mail=mailing.can_mail())


@bp.get("/settings/address")
@access("learner")
def address() -> Response:
    """The address, whether it is confirmed, and a form for another."""
    return _address_page(AddressForm())


@bp.post("/settings/address")
@failures_per_person
@access("learner")
def change_address() -> Response:
    """Ask both addresses. The answer is the same whether the new one is free or not."""
    form = AddressForm()
    given = (form.text("email"), form.text("current_password"), mailing.links())
    try:
        with unit_of_work():
            mail_addresses.ask_change(principal().id, *given)
    except Invalid as fault:
        form.take(fault)
        return _address_page(form, 422)
    except Conflict as fault:
        form.general = [fault.message]
        return _address_page(form, 409)
    flash("Look into your mailboxes: the change is done when the links in the mails have been followed.")
    return redirect(url_for(".address"), 303)


@bp.post("/settings/address/confirm")
@access("learner")
def ask_confirmation() -> Response:
    """Mail another link that confirms the address."""
    try:
        with unit_of_work():
            mail_addresses.ask_confirmation(principal().id, mailing.links())
    except Conflict as fault:
        form = AddressForm(formdata=None)
        form.general = [fault.message]
        return _address_page(form, 409)
    flash("A mail with a link is on its way.")
    return redirect(url_for(".address"), 303)
