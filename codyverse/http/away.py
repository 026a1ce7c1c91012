"""Views that still open while the database is away: with what was held before, as to a stranger."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import request, session
from werkzeug.wrappers import Response

from codyverse.core import resilience
from codyverse.core.errors import Unavailable

View = TypeVar("View", bound=Callable[..., Any])
Instead = Callable[..., Response]
TOKEN = "token"  # noqa: S105 - the name of a key in the session, not a secret


def opens_while_away(instead: Instead | None = None) -> Callable[[View], View]:
    """Let the view answer although nobody can be known just now: with what the caches hold, marked as unconfirmed.

    A view for learners names what is shown `instead`, called with the same path, to a browser that was signed in.
    """

    def name_it(view: View) -> View:
        view.opens_while_away = True  # type: ignore[attr-defined]
        view.instead = instead  # type: ignore[attr-defined]
        return view

    return name_it


def note(view: Any) -> None:
    """Before anything is read: whether this view takes what cannot be confirmed."""
    if getattr(view, "opens_while_away", False):
        resilience.take_unconfirmed()


def shown_instead(view: Any) -> Response:
    """For somebody whose session cannot be looked up; its signed cookie says only that there was one. Raises Unavailable."""
    instead: Instead | None = getattr(view, "instead", None)
    if instead is None or not isinstance(session.get(TOKEN), str):
        raise Unavailable("Nobody can be looked up just now. Try again in a moment.")
    return instead(**(request.view_args or {}))
