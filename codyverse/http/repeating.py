"""A request that met a passing fault of the database is answered by doing all of it again.

Before anything was committed that is safe whatever the request does, for nothing of it remains. If the connection broke
in the commit itself, or later, nobody knows, or it is done: then only those views are run again that say that a second
time does no harm.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, g
from flask.globals import _cv_request

from codyverse.core.database import commit_was_sent, undo
from codyverse.core.resilience import again
from codyverse.core.sqlstates import is_passing
from codyverse.http.pipeline import view_asked

View = TypeVar("View", bound=Callable[..., Any])


def harmless_again(view: View) -> View:
    """Say that the view may run a second time although its first run may have been stored.

    What it writes has a key of its own in the database, so that the second run changes nothing and answers the same.
    """
    view.harmless_again = True  # type: ignore[attr-defined]
    return view


def say_harmless() -> None:
    """The same for this one request, where what was sent decides it."""
    g.harmless_again = True


def is_harmless() -> bool:
    """Whether this request may be sent a second time although the first may have been stored."""
    return bool(g.get("harmless_again") or getattr(view_asked(), "harmless_again", False))


def _may_repeat(fault: BaseException) -> bool:
    if not is_passing(fault):
        return False
    return not commit_was_sent() or is_harmless()


def _whole(dispatch: Callable[[], Any]) -> Callable[[], Any]:
    """`dispatch`, again after a passing fault, with the cookie as it was when the request came."""

    def repeated() -> Any:
        cookie = _cv_request.get()._session  # the property would note that it was read, which changes headers
        assert cookie is not None
        before, modified = dict(cookie), cookie.modified
        tries: list[int] = []

        def run() -> Any:
            if tries:
                g.pop("principal", None)
            tries.append(1)
            if cookie != before:
                cookie.clear()
                cookie.update(before)
                cookie.modified = modified
            return dispatch()

        return again(run, _may_repeat)

    return repeated


def install(app: Flask) -> None:
    """Attach it around all views. What they leave open is undone before the session is closed: an answer that stands shall
    not fail because its connection has died since the last read."""
    app.teardown_appcontext(lambda _fault: undo())
    app.dispatch_request = _whole(app.dispatch_request)  # type: ignore[method-assign]
