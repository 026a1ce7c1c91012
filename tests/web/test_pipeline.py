"""Our short way through Flask answers as Flask's own way does: status, headers and body of requests of every odd kind."""

import itertools
import re
from collections.abc import Iterator
from types import MethodType
from typing import Any

import pytest
from flask import Flask, Response
from flask.globals import _cv_request
from flask.sessions import SecureCookieSessionInterface
from werkzeug.test import EnvironBuilder, run_wsgi_app

from codyverse import create_app
from codyverse.core.database import db, session
from codyverse.http.pipeline import HEADERS, LeanFlask
from tests.conftest import settings_for
from tests.domains.study import Plan, make_course

SHORT = (
    "create_url_adapter",
    "full_dispatch_request",
    "preprocess_request",
    "dispatch_request",
    "process_response",
    "do_teardown_request",
    "do_teardown_appcontext",
)
"""What LeanFlask does in its own way."""
PATHS = (
    "/",
    "/courses",
    "/courses?q=%00",
    "//courses",
    "/courses/",
    "/courses/none",
    "/courses/%ff",
    "/" + "long" * 100,
    "/login",
    "/dashboard",
    "/gallery",
    "/nothing",
    "/health/live",
    "/api/courses",
    "/api/courses?page=x",
    "/api/lessons/0",
    "/api/nothing",
    "/api/users/me",
    "/api-spec.json",
    "/static/dist/manifest.json",
)
KINDS: dict[str, dict[str, str]] = {
    "plain": {},
    "compressed": {"Accept-Encoding": "gzip, br, zstd"},
    "a cookie that is none": {"Cookie": "session=abc; =; other"},
    "a token that is none": {"Authorization": "Bearer nope"},
    "known already": {"If-None-Match": "*"},
    "a host that is none": {"Host": "a b<c>"},
    "a host with a port": {"Host": "Example.ORG:8080"},
    "a host with the usual port": {"Host": "example.org:80"},
    "a host with signs": {"Host": "bücher.example".encode().decode("latin-1")},
    "a websocket": {"Connection": "Upgrade", "Upgrade": "websocket"},
    "a part": {"Range": "bytes=0-9"},
    "htmx": {"HX-Request": "true"},
}
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "TRACE")
FLEETING = ("X-Request-Id", "RateLimit-Remaining", "RateLimit-Reset", "Date", "Set-Cookie")
_TOKEN = re.compile(rb"[\w-]{20,}\.[\w-]{5,8}\.[\w-]{20,}|\"timestamp\":\"[^\"]+\"|\b[0-9a-f]{16}\b")


def _told_at_once(response: Response) -> Response:
    """What our way puts on when it sends."""
    for name, value in _cv_request.get().__dict__.get(HEADERS, {}).items():
        response.headers[name] = value
    return response


@pytest.fixture
def both(committed_app: Flask) -> Iterator[tuple[Flask, Flask]]:
    """Two applications on one database: ours, and the same with Flask's own methods."""
    make_course(Plan(), key="tea")
    session.remove()
    more = {"ratelimit_default": "100000 per minute"}
    url = committed_app.extensions["settings"].database_url
    ours, plain = create_app(settings_for(url, **more)), create_app(settings_for(url, **more))
    plain.wsgi_app.application = MethodType(Flask.wsgi_app, plain)  # type: ignore[attr-defined]  # behind the files
    plain.__class__ = type("Plain", (LeanFlask,), {name: getattr(Flask, name) for name in SHORT})
    plain.session_interface = SecureCookieSessionInterface()
    plain.after_request_funcs[None].insert(0, _told_at_once)
    yield ours, plain
    for each in (ours, plain):
        with each.app_context():
            session.remove()
            db.engine.dispose()


def _answer(app: Flask, method: str, path: str, headers: dict[str, str]) -> tuple[str, dict[str, Any], bytes]:
    builder = EnvironBuilder(path, method=method)
    environ = builder.get_environ()
    builder.close()
    for name, value in headers.items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    body, status, given = run_wsgi_app(app.wsgi_app, environ)
    told: dict[str, Any] = {}
    for name, value in given:
        told.setdefault(name.title(), []).append("*" if name in FLEETING else value)
    for name in ("Vary", "Allow"):
        if name in told:
            told[name] = sorted(each.strip().lower() for line in told[name] for each in line.split(","))
    whole = b"".join(body)
    if method != "HEAD" and "Content-Length" in told:
        assert told["Content-Length"] == [str(len(whole))]
    return status, told, whole


def test_every_odd_request_is_answered_as_flask_answers_it(both: tuple[Flask, Flask]) -> None:
    asked = [
        (method, path, kind)
        for method, path, kind in itertools.product(METHODS, PATHS, KINDS)
        if method == "GET" or kind in ("plain", "known already", "compressed")
    ]
    seen = set()
    for method, path, kind in asked:
        found = [_answer(app, method, path, KINDS[kind]) for app in both]
        (status, told, body), (plain_status, plain_told, plain_body) = found
        where = f"{method} {path}, {kind}"
        assert status == plain_status, where
        for fleeting in ("Content-Length", "Etag"):  # pages carry a token of their own each time
            if told.get("Content-Type", [""])[0].startswith("text/html"):
                assert (told.pop(fleeting, None) is None) == (plain_told.pop(fleeting, None) is None), where
        assert told == plain_told, where
        if "Content-Encoding" not in told:
            assert _TOKEN.sub(b"", body) == _TOKEN.sub(b"", plain_body), where
        seen.add(status[:3])
    assert seen >= {"200", "304", "400", "401", "404", "405"}
