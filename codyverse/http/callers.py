"""Who is behind a request that does not come through Flask: read from its bare headers, by a session or a token."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature

from codyverse.accounts.queries import SESSION_DAYS, principal_for_token
from codyverse.accounts.tokens import note_use, principal_for_bearer
from codyverse.core.database import unit_of_work
from codyverse.core.errors import NotAllowed, NotSignedIn

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about who sent it: a session's token, or a personal access token."""

    text: str
    is_bearer: bool


class Callers:
    """Reads claims and looks up whose they are."""

    def __init__(self, app: Flask) -> None:
        signing = SecureCookieSessionInterface().get_signing_serializer(app)
        assert signing is not None
        self._signing = signing
        self._cookie = app.config["SESSION_COOKIE_NAME"]

    def claim(self, headers: Headers, *, takes_token: bool) -> Claim:
        """The claim, without asking the database. A token is judged alone, whatever the cookies hold. Raises NotSignedIn."""
        given = list(headers)
        text = _header(given, b"authorization") if takes_token else None
        if text is not None:
            kind, _, token = text.strip().partition(" ")
            if kind.lower() != "bearer":
                raise NotSignedIn("Send Authorization: Bearer and a token.")
            return Claim(token.strip(), is_bearer=True)
        session = self._session(given)
        if session is None:
            raise NotSignedIn("Please sign in first.")
        return Claim(session, is_bearer=False)

    def _session(self, headers: Headers) -> str | None:
        """The token in the session's cookie, if the cookie is signed."""
        cookies: SimpleCookie = SimpleCookie()
        for name, value in headers:
            if name == b"cookie":
                with contextlib.suppress(CookieError):
                    cookies.load(value.decode("latin-1"))
        found = cookies.get(self._cookie)
        if found is None:
            return None
        try:
            token = self._signing.loads(found.value, max_age=SESSION_DAYS * 86_400).get("token")
        except (BadSignature, AttributeError):
            return None
        return token if isinstance(token, str) else None


def _header(headers: Headers, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in headers if name == wanted), None)


def whose(claim: Claim, scope: str) -> int:
    """The person's id; keeps that the token was used. Raises NotSignedIn, and NotAllowed for a token without the scope."""
    if not claim.is_bearer:
        who = principal_for_token(claim.text)
        if who is None:
            raise NotSignedIn("Please sign in first.")
        return who.id
    found = principal_for_bearer(claim.text)
    if found is None:
        raise NotSignedIn("The token is unknown, expired or revoked.")
    program, to_be_noted = found
    if scope not in (program.scopes or ()):
        raise NotAllowed(f"This needs a token with the scope {scope}.")
    if to_be_noted and program.token_id is not None:
        with unit_of_work():
            note_use(program.token_id)
    return program.id
