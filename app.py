"""The application: `app` for `flask` and the WSGI server; `site` and `stream` make the ASGI applications with streams."""

import gc
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

gc.disable()  # what is loaded here stays: looking through it for what could go is a tenth of the time that starting takes

from codyverse import create_app  # noqa: E402
from codyverse.core import metrics  # noqa: E402
from codyverse.http import admission  # noqa: E402
from codyverse.web.errors import busy_page  # noqa: E402
from codyverse.web.pages import FIRST_SEEN  # noqa: E402
from config import SettingsError  # noqa: E402

if TYPE_CHECKING:
    from codyverse.stream import Asgi

try:
    app = create_app()
except SettingsError as fault:
    sys.exit(str(fault))
admission.stand_before(app, partial(busy_page, app, admission.SAID))
gc.freeze()
# what a request leaves behind is looked through every few requests, not several times in each
gc.set_threshold(10_000)
gc.enable()


def site() -> "Asgi":
    """Pages and streams in one process, as `make run` serves them: WEB_THREADS threads run the pages, more wait for them."""
    from a2wsgi import WSGIMiddleware

    from codyverse.stream import application

    # a worker that was split off began later than the application
    app.extensions["health"].began = time.monotonic()
    settings = app.extensions["settings"]
    threads = admission.threads_for(settings.web_threads, settings.web_queue)
    return application(app, WSGIMiddleware(app, workers=threads))  # type: ignore[arg-type]


def get_ready() -> None:
    """Load what the first visitors of `site` would wait for; for a process that waits anyway until it may serve."""
    import a2wsgi  # noqa: F401

    import codyverse.stream  # noqa: F401

    metrics.load()
    for template in FIRST_SEEN:
        app.jinja_env.get_template(template)


def stream() -> "Asgi":
    """The streams alone, for a process beside those of the pages."""
    from codyverse.stream import application

    return application(app)
