"""Pages of accounts: register, sign in and out, settings."""

from urllib.parse import urlsplit

from flask import Blueprint, current_app, flash, redirect, request, session, url_for
from werkzeug.wrappers import Response

from codyverse import mailing
from codyverse.accounts import mail_addresses, passkeys, queries, services, signing_in
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Invalid
from codyverse.gamification import services as game
from codyverse.http import access as gate
from codyverse.http import seals
from codyverse.http.access import access, principal
from codyverse.http.limits import (
    accounts_per_address,
    failures_per_account,
    failures_per_address,
    failures_per_person,
)
from codyverse.http.security import safe_next
from codyverse.web import held, htmx
from codyverse.web.forms import PasswordForm, PreferencesForm, ProfileForm, RegisterForm, SignInForm
from codyverse.web.render import fragment, page

bp = Blueprint("accounts", __name__)
SETTINGS = "pages/accounts/settings.html"
STAYS = (
    "Your account stays: by signing in you have called off its erasure. Should it go after all, ask for that again in "
    "the settings, under “Your data”."
)
REGISTERED = "registered"


@bp.get("/register")
@access("stranger")
def register_form() -> Response:
    """The empty form."""
    return page("pages/accounts/register.html", form=RegisterForm())


@bp.post("/register")
@accounts_per_address
@access("stranger")
def register() -> Response:
    """Make an account; the answer is the same whether the address was free or not."""
    form = RegisterForm()
    try:
        with unit_of_work():
            mail_addresses.register(
                form.text("email"),
                form.text("password"),
                form.text("display_name"),
                form.text("time_zone") or "UTC",
                mailing.links(),
            )
    except Invalid as fault:
        form.take(fault)
        return page("pages/accounts/register.html", 422, form=form)
    session[REGISTERED] = form.text("email")[:254]
    return redirect(url_for("accounts.sign_in"), 303)


@bp.get("/login")
@access("stranger")
def sign_in_form() -> Response:
    """The empty form, or after registering the address filled in."""
    address = session.get(REGISTERED, "")
    return sign_in_page(SignInForm(formdata=None, email=address), welcome=bool(address))


def sign_in_page(form: SignInForm, status: int = 200, *, welcome: bool = False) -> Response:
    """The form, and what a browser needs to sign in with a passkey."""
    site = seals.passkey_site()
    return page(
        "pages/accounts/sign_in.html",
        status,
        form=form,
        next=safe_next(request.values.get("next")) or "",
        welcome=welcome,
        can_mail=mailing.can_mail(),
        options=passkeys.request_options(site, seals.passkeys()) if site else "",
        provider=_provider_name(),
    )


def _provider_name() -> str:
    """What the sign-in provider is called; '' if none is set."""
    settings = current_app.extensions["settings"]
    if settings.oidc_issuer is None:
        return ""
    return settings.oidc_name or urlsplit(settings.oidc_issuer).hostname or ""


@bp.post("/login")
@failures_per_address
@failures_per_account
@access("stranger")
def sign_in() -> Response:
    """Begin a session and go on to where the person wanted to be; or ask for the second factor first."""
    form = SignInForm()
    try:
        with unit_of_work():
            begun = signing_in.begin(form.text("email"), form.text("password"), request.user_agent.string)
            if begun.token is not None:
                held.restore(held.take(), begun.user_id)
    except Invalid as fault:
        form.take(fault)
        return sign_in_page(form, 422)
    goal = safe_next(request.form.get("next"))
    if begun.half is not None:
        gate.begin_half(begun.half, begun.user_id)
        return redirect(url_for("second_factor.ask", next=goal), 303)
    return signed_in(begun, goal)


def signed_in(begun: signing_in.Begun, goal: str | None) -> Response:
    """The session has begun: go on to the path `goal`, or to the dashboard."""
    assert begun.token is not None
    gate.begin_session(begun.token, begun.user_id)
    if begun.stays:
        flash(STAYS)
    return redirect(goal or url_for("dashboard.show"), 303)


@bp.post("/logout")
@access("learner")
def sign_out() -> Response:
    """End this session."""
    with unit_of_work():
        services.sign_out(principal().session_id)
    gate.end_session()
    return redirect(url_for("pages.landing"), 303)


@bp.post("/logout/everywhere")
@access("learner")
def sign_out_everywhere() -> Response:
    """End every session of this person, this one included."""
    with unit_of_work():
        services.sign_out_everywhere(principal().id)
    gate.end_session()
    flash("You are signed out on every device.")
    return redirect(url_for("accounts.sign_in"), 303)


def _settings_page(status: int = 200, card: str = "", **forms: object) -> Response:
    """All settings; for htmx only the card that was sent, so that what is being written in another one stays."""
    who = principal()
    chosen = who.preferences
    profile = ProfileForm(
        formdata=None,
        display_name=who.display_name,
        time_zone=who.time_zone,
        day_start_hour=str(who.day_start_hour),
    )
    preferences = PreferencesForm(
        formdata=None,
        goal_intensity=chosen.goal_intensity,
        theme=chosen.theme,
        streak_mode=chosen.streak_mode,
        hidden=sorted(chosen.hidden),
    )
    fresh = {"profile": profile, "preferences": preferences, "password": PasswordForm(formdata=None)}
    context = fresh | forms | {"mechanics": queries.MECHANICS}
    if card and htmx.wants_fragment():
        return fragment(SETTINGS, f"{card}_card", "updates", status=status, **context)
    return page(SETTINGS, status, **context)


def _saved(card: str, words: str) -> Response:
    """What was sent from this card is saved: the card says so itself."""
    flash(words, card)
    if not htmx.wants_fragment():
        return redirect(url_for("accounts.settings", _anchor="said"), 303)
    gate.read_again()
    return _settings_page(card=card)


@bp.get("/settings")
@access("learner")
def settings() -> Response:
    """Name, days, play, password."""
    return _settings_page()


@bp.post("/settings/profile")
@access("learner")
def change_profile() -> Response:
    """Save name, zone, start of day."""
    form = ProfileForm()
    hour = form.text("day_start_hour")
    try:
        with unit_of_work():
            services.change_profile(
                principal().id,
                display_name=form.text("display_name"),
                time_zone=form.text("time_zone"),
                day_start_hour=int(hour) if hour.isascii() and hour.isdigit() and len(hour) < 3 else -1,
            )
    except Invalid as fault:
        form.take(fault)
        return _settings_page(422, "profile", profile=form)
    return _saved("profile", "Saved.")


@bp.post("/settings/preferences")
@access("learner")
def change_preferences() -> Response:
    """Save how somebody wants to play; today's goals stay as they are."""
    form = PreferencesForm()
    try:
        with unit_of_work():
            game.keep_todays_goals(principal().id)
            services.change_preferences(
                principal().id,
                goal_intensity=form.text("goal_intensity"),
                hidden=frozenset(form.hidden.data or ()),
                theme=form.text("theme"),
                streak_mode=form.text("streak_mode") or None,
            )
    except Invalid as fault:
        form.take(fault)
        return _settings_page(422, "preferences", preferences=form)
    return _saved("preferences", "Saved.")


@bp.post("/settings/password")
@failures_per_person
@access("learner")
def change_password() -> Response:
    """Save another password; other devices are signed out."""
    form = PasswordForm()
    who = principal()
    try:
        with unit_of_work():
            services.change_password(
                who.id, form.text("current_password"), form.text("new_password"), keep_session=who.session_id
            )
    except Invalid as fault:
        form.take(fault)
        return _settings_page(422, "password", password=form)
    return _saved("password", "Your password is changed. Other devices are signed out.")
