"""The application behind a real socket, for tools of strangers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask, Response, request
from flask.signals import request_finished
from werkzeug.serving import WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's signature
        """Say nothing."""


@dataclass
class Served:
    """Where the application answers, and what it answered: the endpoint and the status of each request."""

    url: str
    app: Flask
    answered: list[tuple[str, int]] = field(default_factory=list)

    def statuses(self, operation_id: str) -> set[int]:
        return {status for endpoint, status in self.answered if endpoint == f"api.{operation_id}"}


@contextmanager
def served(app: Flask) -> Iterator[Served]:
    """Serve the application from threads of this process."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    found = Served(f"http://127.0.0.1:{server.server_port}", app)

    def note(sender: Flask, response: Response, **more: object) -> None:
        found.answered.append((request.endpoint or "", response.status_code))

    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with request_finished.connected_to(note, app):
        yield found
    server.shutdown()
    server.server_close()
    thread.join(30)
