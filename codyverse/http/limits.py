"""How often somebody may ask: per person when signed in, per address otherwise; wrong passwords and new accounts less often.

A whole class sits behind one address, so what is limited there are failed sign-ins, never those that succeed.
"""

import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import Any, TypeVar

from flask import Flask, Response, current_app, request, session
from flask_limiter import ApplicationLimit
from flask_limiter.util import get_remote_address

from codyverse.accounts.services import address_key
from codyverse.core.cache import redis_error
from codyverse.core.notes import notes
from codyverse.http.access import PERSON, bearer, half, principal_or_none
from codyverse.http.lean import LeanLimiter
from codyverse.http.pipeline import tell

View = TypeVar("View", bound=Callable[..., Any])


def who() -> str:
    """The signed-in person, or the address. Cookies are signed and tokens looked up, so nobody can pretend to be many."""
    if bearer() is not None:
        acting = principal_or_none()
        return f"person:{acting.id}" if acting else remote_address()
    person = session.get(PERSON)
    return f"person:{person}" if person is not None else remote_address()


def remote_address() -> str:
    """Where the request comes from. Of IPv6 the first 64 bits: one household or class has all that follow."""
    return _name_of(get_remote_address())


@lru_cache(4096)
def _name_of(text: str) -> str:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return f"address:{text}"
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return f"address:{ip_network((found, 64), strict=False)}"
    return f"address:{found}"


def claimed_account() -> str:
    """The account that somebody tries to sign in to, whatever the address they come from and however they spell it."""
    try:
        given = request.get_json(silent=True) if request.is_json else request.form
    except RecursionError:  # nested without end: whoever reads the body refuses it
        given = None
    email = given.get("email", "") if isinstance(given, Mapping) else ""
    return f"account:{address_key(email if isinstance(email, str) else '')}"


def half_signed_in() -> str:
    """The account whose second factor is being tried, however often its first step was taken."""
    found = half()
    return f"second:{found[1]}" if found else remote_address()


def _setting(name: str) -> Callable[[], str]:
    """The limit that the settings of the current application name, read at each request."""
    return lambda: str(getattr(current_app.extensions["settings"], name))


def _refused(response: Response) -> bool:
    """A wrong password: pages show the form again, the API says 401."""
    return response.status_code == (401 if response.is_json else 422)


def _registered(response: Response) -> bool:
    return response.status_code in (201, 303)


def _asked_for(response: Response) -> bool:
    return response.status_code in (202, 303)


limiter = LeanLimiter(
    who,
    application_limits=[ApplicationLimit(_setting("ratelimit_default"))],
    strategy="moving-window",
    key_prefix="cv:moving-window",
    in_memory_fallback_enabled=True,
    swallow_errors=True,
)
"""While Valkey is away each process counts for itself; a count that fails in between is logged and lets the request pass."""
limiter.request_filter(lambda: request.method == "OPTIONS")
"""A browser that asks whether it may ask carries no token, and would be charged to the address of its whole class."""
failures_per_account = limiter.limit(
    _setting("ratelimit_sign_in"), key_func=claimed_account, override_defaults=False, deduct_when=_refused
)
failures_per_address = limiter.limit(
    _setting("ratelimit_sign_in_address"),
    key_func=remote_address,
    override_defaults=False,
    deduct_when=_refused,
)
failures_per_person = limiter.limit(
    _setting("ratelimit_sign_in"), key_func=who, override_defaults=False, deduct_when=_refused
)
failures_of_second_factor = limiter.limit(
    _setting("ratelimit_sign_in"), key_func=half_signed_in, override_defaults=False, deduct_when=_refused
)
accounts_per_address = limiter.limit(
    _setting("ratelimit_register"), key_func=remote_address, override_defaults=False, deduct_when=_registered
)
links_per_address = limiter.limit(
    _setting("ratelimit_register"), key_func=remote_address, override_defaults=False, deduct_when=_registered
)
exports_per_person = limiter.limit(
    _setting("ratelimit_export"), key_func=who, override_defaults=False, deduct_when=_asked_for
)


def exempt(view: View) -> View:
    """A view that may be asked as often as anybody likes."""
    limiter.exempt(view)
    view.no_limit = True  # type: ignore[attr-defined]
    return view


def seconds_to_wait() -> int:
    """In how many seconds, at least 1, the limit that this request met lets the next one through; the same all through it."""
    noted = notes()
    if "seconds_to_wait" not in noted:
        limit = limiter.current_limit
        noted["seconds_to_wait"] = max(1, ceil(limit.window.reset_time - time.time())) if limit else 1
    found: int = noted["seconds_to_wait"]
    return found


def _tell(response: Response) -> Response:
    """Name the limit that is nearest, and how much of it is left, for programs."""
    limit = limiter.current_limit
    if limit is not None:
        try:
            remaining, reset = max(0, limit.remaining), seconds_to_wait()
        except redis_error():  # it went away since the request was counted: then there is nothing to tell
            return response
        tell(
            (
                ("RateLimit-Limit", str(limit.limit.amount)),
                ("RateLimit-Remaining", str(remaining)),
                ("RateLimit-Reset", str(reset)),
            )
        )
    return response


def install(app: Flask) -> None:
    """Attach the limiter; static files never reach it, health is exempt where it is defined."""
    app.after_request(_tell)
    limiter.init_app(app)
