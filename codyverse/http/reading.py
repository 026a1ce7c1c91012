"""From where a request reads: GET from a streaming replica, where there is one that has what this person wrote.

Who acts was asked of the primary by then. A read that breaks off there is done again on the primary, for a GET changes
nothing, and whoever asked notices nothing.
"""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Response, g, session
from sqlalchemy.exc import SQLAlchemyError

from codyverse.core import database, metrics
from codyverse.core.notes import notes
from codyverse.core.replicas import Replica, Replicas
from codyverse.core.replicas import replicas as replicas_of
from codyverse.http.access import PERSON, bearer, principal_or_none
from codyverse.http.pipeline import asked, view_asked

log = logging.getLogger(__name__)
View = TypeVar("View", bound=Callable[..., Any])
_CHOSEN = "replica"


def reads_primary(view: View) -> View:
    """For views that tell of what others have just written, such as the news that a stream announced."""
    view.reads_primary = True  # type: ignore[attr-defined]
    return view


def _person() -> int | None:
    """Who acts, without asking the database anew; strangers have no id by which what they wrote could be remembered."""
    if bearer() is None:
        found = session.get(PERSON)
        return found if isinstance(found, int) else None
    who = principal_or_none()
    return who.id if who else None


def _choose() -> None:
    replicas = replicas_of()
    if replicas is None:
        return
    view = view_asked()
    if view is None or asked().method not in {"GET", "HEAD"}:
        return
    person = None if getattr(view, "reads_primary", False) else _person()
    chosen = None if person is None else replicas.choose(person)
    metrics.reads.labels(chosen.name if chosen else "primary").inc()
    if chosen is not None:
        database.session.rollback()  # gives the primary's connection back
        database.read_from(chosen.engine)
        setattr(g, _CHOSEN, chosen)


def _keep_mark(response: Response) -> Response:
    """Remember how far the log has come for who wrote. It is done by now, so a failure is logged and changes nothing."""
    replicas = replicas_of()
    if replicas is not None and database.has_written():
        person = _person()
        if person is not None:
            try:
                replicas.wrote(person)
            except SQLAlchemyError:
                log.warning("how far the log has come could not be asked", exc_info=True)
    return response


def _again_on_primary(app: Flask) -> Callable[..., Any]:
    inner = app.dispatch_request

    def dispatch(*given: Any) -> Any:
        chosen: Replica | None = notes().get(_CHOSEN)
        replicas = replicas_of() if chosen is not None else None
        if chosen is None or replicas is None:
            return inner(*given)
        try:
            return inner(*given)
        except SQLAlchemyError as fault:
            log.warning("reading from %s failed, the primary is asked: %s", chosen.name, type(fault).__name__)
            replicas.failed(chosen)
        finally:
            _leave(replicas, chosen)
        return inner(*given)

    return dispatch


def _leave(replicas: Replicas, chosen: Replica) -> None:
    """Give the replica's connection back now. At the request's end one that broke meanwhile would spoil a good answer."""
    g.pop(_CHOSEN, None)
    database.read_from(None)
    try:
        database.session.rollback()
    except SQLAlchemyError:
        database.session().invalidate()
        replicas.failed(chosen)


def install(app: Flask) -> None:
    """Attach it; after the access policy, which is asked of the primary."""
    app.before_request(_choose)
    app.after_request(_keep_mark)
    app.dispatch_request = _again_on_primary(app)  # type: ignore[method-assign]
