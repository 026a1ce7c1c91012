"""What keeps secrets that have to be read again, under keys that follow from SECRET_KEY, each for one purpose."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import current_app

from codyverse.accounts.passkeys import Site
from codyverse.core.sealing import Seal


def second_factors() -> Seal:
    """For the secrets of authenticator apps."""
    return Seal(current_app.extensions["settings"].secret_key, "second-factors")


def passkeys() -> Seal:
    """For the challenges that passkeys sign."""
    return Seal(current_app.extensions["settings"].secret_key, "passkeys")


def passkey_site() -> Site | None:
    """Where passkeys are good; None where people come by a bare IP address, for which browsers make none."""
    parts = urlsplit(current_app.extensions["settings"].base_url)
    host = parts.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return Site(host, f"{parts.scheme}://{parts.netloc}")
    return None
