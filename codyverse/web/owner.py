"""Forms in the settings that only the owner may send: password, and where a second factor is set a code or a passkey."""

from flask import request

from codyverse.accounts import passkeys
from codyverse.accounts.second_factor import Shown, State
from codyverse.http import seals
from codyverse.http.access import principal
from codyverse.web.forms import OwnerForm


def shown(form: OwnerForm) -> Shown:
    """What was given. A passkey that the browser's script has put in counts in place of the code."""
    site, text = seals.passkey_site(), request.form.get("credential", "")
    passkey = passkeys.shown_by(text, site, seals.passkeys()) if site and text else None
    return Shown(form.text("current_password"), form.text("code"), seals.second_factors(), passkey)


def options(state: State) -> str:
    """What the browser needs to ask for one of the person's passkeys, as JSON; '' if they have none for this site."""
    site = seals.passkey_site()
    if site is None or not state.passkeys:
        return ""
    return passkeys.owner_options(principal().id, site, seals.passkeys())
