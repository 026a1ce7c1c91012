"""The application: `app` for `flask` and the WSGI server; `site` and `stream` make the ASGI applications with streams."""

import sys
from typing import TYPE_CHECKING

from codyverse import create_app
from config import SettingsError

if TYPE_CHECKING:
    from codyverse.stream import Asgi

try:
    app = create_app()
except SettingsError as fault:
    sys.exit(str(fault))


def site() -> "Asgi":
    """Pages and streams in one process, as `make run` serves them: WEB_THREADS threads run the pages."""
    from a2wsgi import WSGIMiddleware

    from codyverse.stream import application

    return application(app, WSGIMiddleware(app, workers=app.extensions["settings"].web_threads))  # type: ignore[arg-type]


def stream() -> "Asgi":
    """The streams alone, for a process beside those of the pages."""
    from codyverse.stream import application

    return application(app)
