"""What keeps secrets that have to be read again, under keys that follow from SECRET_KEY, each for one purpose."""

from flask import current_app

from codyverse.core.sealing import Seal


def second_factors() -> Seal:
    """For the secrets of authenticator apps."""
    return Seal(current_app.extensions["settings"].secret_key, "second-factors")
