"""How often somebody may ask: per person when signed in, per address otherwise, stricter for signing in."""

from flask import Flask, current_app, request, session
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from codyverse.web.access import PERSON


def who() -> str:
    """The signed-in person, or the address. The cookie is signed, so nobody can pretend to be many."""
    person = session.get(PERSON)
    return f"person:{person}" if person is not None else f"address:{get_remote_address()}"


def claimed_account() -> str:
    """The account that somebody tries to sign in to, whatever the address they come from."""
    return "account:" + request.form.get("email", "").strip().casefold()[:254]


def _sign_in_limit() -> str:
    return str(current_app.config["RATELIMIT_SIGN_IN"])


limiter = Limiter(who, headers_enabled=True, strategy="moving-window", key_prefix="cv:moving-window")
per_address = limiter.limit(
    _sign_in_limit, key_func=get_remote_address, methods=["POST"], override_defaults=False
)
per_account = limiter.limit(
    _sign_in_limit,
    key_func=claimed_account,
    methods=["POST"],
    override_defaults=False,
    deduct_when=lambda response: response.status_code == 422,
)


def install(app: Flask) -> None:
    """Attach the limiter; static files and health are exempt where they are defined."""
    limiter.init_app(app)
