"""Who may call what. Every route names its policy; a route without one is refused, and a test walks all of them.

A person acts through the session of a browser. A program acts through a token in `Authorization: Bearer`, on those
routes that take one; a request that carries a token is judged by it alone, whatever its cookies hold.
"""

import logging
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from flask import Flask, g, redirect, session, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from codyverse.accounts import queries, sessions, tokens
from codyverse.accounts.queries import Principal
from codyverse.core.clock import now
from codyverse.core.database import on_primary, unit_of_work
from codyverse.core.errors import NotAllowed, NotSignedIn
from codyverse.core.notes import notes
from codyverse.core.resilience import again, is_unconfirmed, unless_away
from codyverse.http import away
from codyverse.http.away import TOKEN
from codyverse.http.pipeline import asked, view_asked

log = logging.getLogger(__name__)

Policy = Literal["anyone", "stranger", "learner", "author", "operator"]
View = TypeVar("View", bound=Callable[..., Any])
RANK = {"learner": 1, "author": 2, "operator": 3}
PERSON = "person"
SEEN = "seen"
SEEN_NOTED_EVERY = 3600
"""Seconds: when a session was used last is kept about as exactly as this. The cookie remembers, so that nothing is asked."""
HALF = "half"
"""Of who has given the password and not yet the second factor: the key of that half, and whose it is."""


def access(
    policy: Policy, *, takes_token: bool = False, brings: tuple[str, ...] = ()
) -> Callable[[View], View]:
    """Name the policy of a view: `anyone`, only a `stranger`, or at least a learner, author, operator.

    `brings` are the riders that finding out who acts brings along for it (accounts.riders).
    """

    def name_it(view: View) -> View:
        view.access = policy  # type: ignore[attr-defined]
        view.takes_token = takes_token  # type: ignore[attr-defined]
        view.brings = brings  # type: ignore[attr-defined]
        return view

    return name_it


def bearer() -> str | None:
    """The token of this request; None if it carries none, or none is taken here. What is no token at all is ''."""
    noted = notes()
    if "bearer" not in noted:
        noted["bearer"] = _bearer()
    found: str | None = noted["bearer"]
    return found


def _bearer() -> str | None:
    if not getattr(view_asked(), "takes_token", False):
        return None
    given = asked().environ.get("HTTP_AUTHORIZATION")
    if given is None:
        return None
    kind, _, text = given.strip().partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def principal_or_none() -> Principal | None:
    """Who acts, read once per request and only when somebody asks."""
    noted = notes()
    if "principal" not in noted:
        is_stranger = bearer() is None and session.get(TOKEN) is None
        noted["principal"] = None if is_stranger else unless_away(_look_up, lambda: None)
    found: Principal | None = noted["principal"]
    return found


def _look_up() -> Principal | None:
    text = bearer()
    with on_primary():
        return _of_session() if text is None else _of_token(text)


def _wanted() -> tuple[str, ...]:
    return getattr(view_asked(), "brings", ())


def _path() -> dict[str, Any]:
    return asked().view_args or {}


def _of_session() -> Principal | None:
    token = session.get(TOKEN)
    found = queries.principal_for_token(token, _wanted(), _path()) if isinstance(token, str) else None
    if token is not None and found is None:
        session.pop(TOKEN, None)
    return found


def _of_token(text: str) -> Principal | None:
    found = tokens.principal_for_bearer(text, _wanted(), _path())
    if found is None:
        return None
    who, to_be_noted = found
    if to_be_noted:
        g.note_use_of = who.token_id
    return who


def principal() -> Principal:
    """Who acts. Raises NotSignedIn."""
    found = principal_or_none()
    if found is None:
        if bearer() is not None:
            raise NotSignedIn("The token is unknown, expired or revoked.")
        raise NotSignedIn("Please sign in first.")
    return found


def is_signed_out() -> bool:
    """Whether this browser holds no session, and the view that was asked for is only for who is signed in. Asks nothing."""
    policy: Policy | None = getattr(view_asked(), "access", None)
    return policy in RANK and bearer() is None and session.get(TOKEN) is None


def read_again() -> None:
    """Who acts has just been changed: what was known about them in this request is read anew when it is next asked for."""
    notes().pop("principal", None)


def begin_session(token: str, person_id: int) -> None:
    """Make this browser the one that holds `token`; whatever its cookie held before is forgotten."""
    session.clear()
    session.permanent = True
    session[TOKEN] = token
    session[PERSON] = person_id
    session[SEEN] = int(now().timestamp())
    g.pop("principal", None)


def begin_half(half: str, person_id: int) -> None:
    """This browser holds half a sign-in; nobody is signed in by it."""
    session[HALF] = [half, person_id]


def half() -> tuple[str, int] | None:
    """The half of a sign-in that this browser holds, and whose; whether it is still good the services know."""
    kept = session.get(HALF)
    return (kept[0], kept[1]) if isinstance(kept, list) and len(kept) == 2 else None


def end_session() -> None:
    """Forget who was signed in here."""
    session.clear()
    g.pop("principal", None)


def _enforce() -> Response | None:
    request = asked()
    view = view_asked()
    if view is None or request.endpoint == "static" or request.method == "OPTIONS":
        return None
    policy: Policy | None = getattr(view, "access", None)
    if policy is None:
        raise RuntimeError(f"the route {request.endpoint} names no access policy")
    away.note(view)
    if policy == "anyone":
        if bearer() is not None and not (principal_or_none() is None and is_unconfirmed()):
            principal()  # a token that does not work is refused also here, so that its owner notices
        return None
    if policy == "stranger":
        return None if principal_or_none() is None else redirect(url_for("dashboard.show"))
    if principal_or_none() is None and is_unconfirmed():
        return away.shown_instead(view)
    if RANK[principal().role] < RANK[policy]:
        raise NotAllowed("This is for people with another role.")
    return None


def _note_use(response: Response) -> Response:
    """Keep that a token was used. What was asked for is done by now, so a failure here is logged and changes nothing."""
    token_id = notes().pop("note_use_of", None)
    if token_id is not None and response.status_code < 500:
        try:
            with unit_of_work():
                tokens.note_use(token_id)
        except SQLAlchemyError:
            log.warning("the use of a token could not be noted", exc_info=True)
    return response


def _note_seen(response: Response) -> Response:
    """Keep, once an hour, that a session was used, for the list of devices. A failure is logged and changes nothing."""
    who: Principal | None = notes().get("principal")
    if who is None or not who.session_id or response.status_code >= 500:
        return response
    at = int(now().timestamp())
    if at - session.get(SEEN, 0) < SEEN_NOTED_EVERY or TOKEN not in session:
        return response
    try:
        with unit_of_work():
            sessions.note_seen(who.session_id)
        session[SEEN] = at
    except SQLAlchemyError:
        log.warning("the use of a session could not be noted", exc_info=True)
    return response


def install(app: Flask) -> None:
    """Check the policy before every request; keep afterwards that a token was used."""
    app.before_request(lambda: again(_enforce))
    app.after_request(_note_use)
    app.after_request(_note_seen)
