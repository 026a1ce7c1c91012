"""Mails about the account itself: links that were asked for, and word that the ways in have changed.

They go whatever somebody wants to hear of, for they are about safety; all but the links only to confirmed addresses.
"""

import secrets
from datetime import timedelta

from codyverse.accounts.events import AddressTaken, LinkAsked, SecurityChanged
from codyverse.notifications.post import write_mail
from codyverse.notifications.rules import counted

USEFUL_FOR = timedelta(days=2)
WORDS = {
    "password_changed": "Your password was changed. Other devices were signed out.",
    "password_reset": "Your password was set anew by a link that was sent to this address. All devices were signed out.",
    "app_on": "An authenticator app was set up. From now on a code of it is asked for after the password.",
    "app_off": "The authenticator app was turned off. The password alone signs in again, unless a passkey is set.",
    "codes_new": "New recovery codes were made. The old ones no longer work.",
    "recovery_code_used": "A recovery code was used. It will not work again.",
    "factors_reset": "An operator of the site took the second factors of your account away.",
    "passkey_added": "A passkey was added. It can sign in to your account.",
    "passkey_removed": "A passkey was removed. It can no longer sign in.",
    "address_changed": "The address of your account was changed. From now on mails go to the new one.",
    "provider_linked": "A sign-in provider was connected to your account. It can sign in from now on.",
    "erasure_asked": "The erasure of your account was asked for. Sign in before {when} UTC to keep it. The number of your "
    "receipt is {receipt}: with it the people who run the site can tell you later that it was done.",
    "erasure_called_off": "Somebody signed in to your account, and by that its erasure, which had been asked for, is called "
    "off. Should it go after all, ask for that again in the settings.",
}


def _once() -> str:
    """A source of its own: the same can happen again in the same moment, and is told again."""
    return secrets.token_hex(8)


def on_link_asked(event: LinkAsked) -> None:
    """The mail with the link."""
    context = {
        "name": event.name,
        "sealed_key": event.sealed,
        "lasts": spoken(event.lasts),
        "purpose": event.purpose,
        **event.details,
    }
    write_mail(
        f"link_{event.purpose}",
        _once(),
        event.address,
        context,
        user_id=event.user_id,
        at=event.at,
        useful_for=event.lasts,
    )


def spoken(lasts: timedelta) -> str:
    """How long a link works, in words: “30 minutes”, “3 days”."""
    return counted(lasts.days, "day") if lasts.days else counted(lasts.seconds // 60, "minute")


def on_address_taken(event: AddressTaken) -> None:
    """Only the owner of the address hears that it has an account; at most one such mail an hour."""
    hour = event.at.strftime("%Y-%m-%dT%H")
    write_mail(
        "address_taken",
        f"{event.user_id}:{hour}",
        event.address,
        {"name": event.name},
        user_id=event.user_id,
        at=event.at,
        useful_for=USEFUL_FOR,
    )


def on_security_changed(event: SecurityChanged) -> None:
    """Word to the owner."""
    context = {
        "name": event.name,
        "words": WORDS[event.what].format_map(event.details),
        "when": event.at.strftime("%Y-%m-%d %H:%M UTC"),
    }
    write_mail(
        "security",
        _once(),
        event.address,
        context,
        user_id=event.user_id,
        at=event.at,
        useful_for=USEFUL_FOR,
    )
