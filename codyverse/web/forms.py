"""The forms of accounts and settings. They shape and repeat input; what is acceptable is decided by the services."""

from functools import lru_cache
from typing import Any

from flask import request
from flask_wtf import FlaskForm
from markupsafe import Markup, escape
from wtforms import (
    BooleanField,
    EmailField,
    Field,
    HiddenField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than its stubs
from wtforms.widgets import html_params

from codyverse.accounts.profiles import SHOWABLE
from codyverse.accounts.queries import MECHANICS
from codyverse.accounts.services import time_zones
from codyverse.core.errors import Invalid
from codyverse.notifications.rules import KINDS

TOKEN_DAYS = {"30": "30 days", "90": "90 days", "365": "A year", "never": "Until I revoke it"}
"""How long a token works, in days."""


def _offer(*pairs: tuple[str, str]) -> list[Any]:
    """What a list offers: (value, label)."""
    return [SelectChoice(value, label) for value, label in pairs]


@lru_cache(maxsize=1)
def _zone_options() -> str:
    """All zones as options, written once: making hundreds anew took longer than the rest of the page."""
    return "".join(f'<option value="{name}">{name.replace("_", " ")}</option>' for name in time_zones())


def _zone_list(field: Field, **attributes: Any) -> Markup:
    """The list of zones with the chosen one marked."""
    chosen = f'value="{escape(field.data or "")}"'
    options = _zone_options().replace(chosen, f"{chosen} selected", 1)
    given = html_params(**({"id": field.id, "name": field.name} | attributes))
    return Markup(f"<select {given}>{options}</select>")  # noqa: S704 - names of zones, and attributes escaped


class Form(FlaskForm):  # type: ignore[misc]
    """A form that takes the faults of a service onto its fields."""

    general: list[str]

    def take(self, fault: Invalid) -> None:
        """Put each fault beside its field; the rest stands above the form."""
        self.general = []
        for name, faults in fault.fields.items():
            field: Field | None = self._fields.get(name)
            if field is None:
                self.general += faults
            else:
                field.errors = [*field.errors, *faults]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Left to itself, FlaskForm reads JSON and files as well, whose values are not text.
        kwargs.setdefault("formdata", request.form if request.method == "POST" else None)
        super().__init__(*args, **kwargs)
        self.general = []

    def text(self, name: str) -> str:
        """What was typed into a field; '' if it was not sent."""
        return self._fields[name].data or ""


class RegisterForm(Form):
    """A new account."""

    display_name = StringField("Name")
    email = EmailField("E-mail address")
    password = PasswordField("Password")
    time_zone = SelectField("Time zone", widget=_zone_list, choices=[], validate_choice=False, default="UTC")


class SignInForm(Form):
    """An existing account."""

    email = EmailField("E-mail address")
    password = PasswordField("Password")


class ProfileForm(Form):
    """Name and days."""

    display_name = StringField("Name")
    time_zone = SelectField("Time zone", widget=_zone_list, choices=[], validate_choice=False)
    day_start_hour = SelectField("Your day begins at", choices=[], validate_choice=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.day_start_hour.choices = _offer(*((str(hour), f"{hour:02}:00") for hour in range(24)))


class PreferencesForm(Form):
    """How somebody wants to play."""

    goal_intensity = SelectField(
        "Daily goals",
        choices=_offer(("casual", "Casual"), ("regular", "Regular"), ("serious", "Serious")),
        validate_choice=False,
    )
    theme = SelectField(
        "Colours",
        choices=_offer(("auto", "Like my device"), ("light", "Light"), ("dark", "Dark")),
        validate_choice=False,
    )
    streak_mode = SelectField(
        "The streak counts",
        choices=_offer(("daily", "Days in a row"), ("weekly", "Weeks with four days of study")),
        validate_choice=False,
    )
    hidden = SelectMultipleField(
        "Hide", choices=_offer(*((name, name.capitalize()) for name in MECHANICS)), validate_choice=False
    )


class NotificationsForm(Form):
    """What somebody wants to hear of, where, and when not."""

    shown = SelectMultipleField(
        "The bell counts", choices=_offer(*((kind, kind) for kind in KINDS)), validate_choice=False
    )
    mailed = SelectMultipleField(
        "A mail tells of", choices=_offer(*((kind, kind) for kind in KINDS)), validate_choice=False
    )
    mail_hour = SelectField("The mail comes at", choices=[], validate_choice=False)
    quiet_from = SelectField("From", choices=[], validate_choice=False)
    quiet_until = SelectField("Until", choices=[], validate_choice=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        hours = _offer(*((str(hour), f"{hour:02}:00") for hour in range(24)))
        self.mail_hour.choices = hours
        self.quiet_from.choices = self.quiet_until.choices = [*_offer(("", "none")), *hours]

    def kinds(self, name: str) -> set[str]:
        """The kinds that are ticked in `shown` or `mailed`. Raises Invalid for what is none."""
        ticked = set(self._fields[name].data or ())
        if ticked - set(KINDS):
            raise Invalid({name: [f"Choose from {', '.join(KINDS)}."]})
        return ticked

    def quiet(self) -> tuple[int, int] | None:
        """The quiet hours, None for none. Raises Invalid when only one end is given, or what is no hour."""
        given = (self.text("quiet_from"), self.text("quiet_until"))
        if not any(given):
            return None
        hours = [int(text) if text.isascii() and text.isdigit() and len(text) < 3 else -1 for text in given]
        if not all(given) or not all(0 <= hour < 24 for hour in hours):
            raise Invalid({"quiet_from": ["Choose both hours, or none."]})
        return hours[0], hours[1]


class PasswordForm(Form):
    """Another password."""

    current_password = PasswordField("Current password")
    new_password = PasswordField("New password")


class CodeForm(Form):
    """A code of the authenticator app, or a recovery code."""

    code = StringField("Code")


class OwnerForm(Form):
    """What shows that it is the owner who changes the ways in: the password, and a code where one is asked for."""

    current_password = PasswordField("Your password")
    code = StringField("Code")


class PasskeyForm(Form):
    """A new passkey. The browser's script fills `credential`."""

    name = StringField("Name")
    credential = HiddenField("Passkey")


class ForgotForm(Form):
    """Whose password was forgotten."""

    email = EmailField("E-mail address")


class NewPasswordForm(Form):
    """A password in place of the forgotten one."""

    new_password = PasswordField("New password")


class AddressForm(Form):
    """Another address for the account."""

    email = EmailField("New e-mail address")
    current_password = PasswordField("Your password")


class PublicPageForm(Form):
    """The page that somebody may show to everybody."""

    handle = StringField("Address")
    public = BooleanField("Everybody may see my page")
    shown = SelectMultipleField(
        "Shown", choices=_offer(*((name, name.capitalize()) for name in SHOWABLE)), validate_choice=False
    )


class TokenForm(Form):
    """A new access token."""

    name = StringField("Name")
    scopes = SelectMultipleField("It may", choices=[], validate_choice=False)
    days = SelectField("It works for", choices=[], validate_choice=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.days.choices = _offer(*TOKEN_DAYS.items())
