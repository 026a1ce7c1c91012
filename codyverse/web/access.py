"""Who may call what. Every route names its policy; a route without one is refused, and a test walks all of them."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from flask import Flask, current_app, g, redirect, request, session, url_for
from werkzeug.wrappers import Response

from codyverse.accounts import queries
from codyverse.accounts.queries import Principal
from codyverse.core.errors import NotAllowed, NotSignedIn

Policy = Literal["anyone", "stranger", "learner", "author", "operator"]
View = TypeVar("View", bound=Callable[..., Any])
RANK = {"learner": 1, "author": 2, "operator": 3}
TOKEN = "token"  # noqa: S105 - the name of a key, not a secret
PERSON = "person"


def access(policy: Policy) -> Callable[[View], View]:
    """Name the policy of a view: `anyone`, only a `stranger`, or at least a learner, author, operator."""

    def name_it(view: View) -> View:
        view.access = policy  # type: ignore[attr-defined]
        return view

    return name_it


def principal_or_none() -> Principal | None:
    """Who is signed in, read once per request and only when somebody asks."""
    if "principal" not in g:
        token = session.get(TOKEN)
        g.principal = queries.principal_for_token(token) if isinstance(token, str) else None
        if token is not None and g.principal is None:
            session.pop(TOKEN, None)
    found: Principal | None = g.principal
    return found


def principal() -> Principal:
    """Who is signed in. Raises NotSignedIn."""
    found = principal_or_none()
    if found is None:
        raise NotSignedIn("Please sign in first.")
    return found


def begin_session(token: str, person_id: int) -> None:
    """Make this browser the one that holds `token`; whatever its cookie held before is forgotten."""
    session.clear()
    session.permanent = True
    session[TOKEN] = token
    session[PERSON] = person_id
    g.pop("principal", None)


def end_session() -> None:
    """Forget who was signed in here."""
    session.clear()
    g.pop("principal", None)


def _enforce() -> Response | None:
    if request.endpoint is None or request.endpoint == "static":
        return None
    view = current_app.view_functions[request.endpoint]
    policy: Policy | None = getattr(view, "access", None)
    if policy is None:
        raise RuntimeError(f"the route {request.endpoint} names no access policy")
    if policy == "anyone":
        return None
    if policy == "stranger":
        return None if principal_or_none() is None else redirect(url_for("dashboard.show"))
    if RANK[principal().role] < RANK[policy]:
        raise NotAllowed("This page is for people with another role.")
    return None


def install(app: Flask) -> None:
    """Check the policy before every request."""
    app.before_request(_enforce)
