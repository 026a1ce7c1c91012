"""What the current request, or job, has noted for itself in `g`: the same as through Flask's proxy, which costs more than
what is looked up."""

from typing import Any

from flask.globals import _cv_app

REQUEST_ID = "request_id"


def notes() -> dict[str, Any]:
    """The notes of this application context, as they are. Raises LookupError where there is none."""
    noted: dict[str, Any] = _cv_app.get().g.__dict__
    return noted


def notes_or_none() -> dict[str, Any] | None:
    """The same; None outside of any."""
    context = _cv_app.get(None)
    return None if context is None else context.g.__dict__
