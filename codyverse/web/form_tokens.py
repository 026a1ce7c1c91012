"""The CSRF token of forms, as Flask-WTF makes it, without what that works out anew for each page.

A token is what the session holds, signed with the time, so each page has one of its own. What stays the same is the
signer, and the session's part of it.
"""

from functools import lru_cache

from flask import current_app, g, session
from flask_wtf.csrf import generate_csrf
from itsdangerous import Signer, URLSafeTimedSerializer

_NAME = "csrf_token"
_SALT = "wtf-csrf-token"


@lru_cache(8)
def _serializer(key: str | bytes) -> tuple[URLSafeTimedSerializer, Signer]:
    made = URLSafeTimedSerializer(key, salt=_SALT)
    return made, made.make_signer(_SALT)


@lru_cache(2048)
def _payload(key: str | bytes, held: str) -> str | bytes:
    return _serializer(key)[0].dump_payload(held)


def form_token() -> str:
    """The token for the forms of this page; within a request the same one each time."""
    held, key = session.get(_NAME), current_app.secret_key
    if not isinstance(held, str) or not key or current_app.config.get("WTF_CSRF_SECRET_KEY"):
        return str(generate_csrf())
    known: str | None = g.get(_NAME)
    if known is None:
        known = g.csrf_token = _serializer(key)[1].sign(_payload(key, held)).decode()
    return known
