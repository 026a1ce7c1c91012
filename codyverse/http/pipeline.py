"""Flask's way from a request to its answer, with what never changes worked out once, and no stop at which nobody waits.

All of it stands in methods that Flask leaves to subclasses, and whatever is unusual goes the library's own way. What that
saves is in docs/decisions/reads.md.
"""

import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from flask import (
    Flask,
    Request,
    Response,
    appcontext_tearing_down,
    request_finished,
    request_started,
    request_tearing_down,
)
from flask.globals import _cv_app, _cv_request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.datastructures import Headers
from werkzeug.http import is_entity_header
from werkzeug.routing import MapAdapter
from werkzeug.sansio.utils import get_host

from codyverse.http.routing import LateRule

MOST_COOKIES, MOST_PATHS = 2_000, 2_000
LONGEST_PATH = 120
"""What is longer is not remembered, so that nobody can fill the memory with paths."""
HEADERS = "codyverse_headers"
_KEPT_OF_304 = ("expires", "content-location")


def view_asked() -> Callable[..., Any] | None:
    """The view that this request leads to; None where there is none."""
    context = _cv_request.get()
    rule = context.request.url_rule
    return None if rule is None else context.app.view_functions.get(rule.endpoint)


def asked() -> Request:
    """This request, itself instead of its proxy."""
    return _cv_request.get().request


def tell(headers: Iterable[tuple[str, str]]) -> None:
    """Headers of this request's answer, whatever it will be: they are put on when it is sent. A name again replaces it."""
    held = _cv_request.get().__dict__
    told: dict[str, str] | None = held.get(HEADERS)
    if told is None:
        held[HEADERS] = dict(headers)
    else:
        told.update(headers)


def vary_by(headers: Headers, name: str) -> None:
    """Say that the answer depends on this header of the request. Again is harmless."""
    said = headers.get("Vary")
    if said is None:
        headers["Vary"] = name
    elif (wider := _with(said, name)) != said:
        headers["Vary"] = wider


@lru_cache(1_000)
def _with(said: str, name: str) -> str:
    """A list of names with this one in it."""
    return said if name.lower() in (each.strip() for each in said.lower().split(",")) else f"{said}, {name}"


class _Sessions(SecureCookieSessionInterface):
    """Signed cookies, with one signer for as long as the keys are the same, and each cookie's signature checked once.

    A browser sends the same cookie again and again. What is remembered of one is what was signed, and when, so that it
    ends when its time is over; and only plain values, which no request can change for the next.
    """

    def __init__(self) -> None:
        self._made: tuple[object, URLSafeTimedSerializer] | None = None
        self._checked: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        signer = self.get_signing_serializer(app)
        if signer is None:
            return None
        sent = (
            request.cookies.get(app.config["SESSION_COOKIE_NAME"])
            if "HTTP_COOKIE" in request.environ
            else None
        )
        if not sent:
            return SecureCookieSession()
        known = self._checked.get(sent)
        if known is None:
            known = self._check(signer, sent)
        if known is None or known[0] < time.time() - app.permanent_session_lifetime.total_seconds():
            return super().open_session(app, request)
        return SecureCookieSession(known[1])

    def _check(self, signer: URLSafeTimedSerializer, sent: str) -> tuple[float, dict[str, Any]] | None:
        try:
            told, at = signer.loads(sent, return_timestamp=True)
        except BadSignature:
            return None
        if not all(isinstance(value, str | int | bool | None) for value in told.values()):
            return None
        known = (at.timestamp(), told)
        self._checked[sent] = known
        while len(self._checked) > MOST_COOKIES:
            with suppress(KeyError):  # two requests at once
                self._checked.popitem(last=False)
        return known

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        keys = (app.secret_key, tuple(app.config["SECRET_KEY_FALLBACKS"] or ()))
        if self._made is None or self._made[0] != keys:
            made = super().get_signing_serializer(app)
            if made is None:
                return None
            self._made = (keys, made)
            self._checked = OrderedDict()
        return self._made[1]

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if session.modified or app.config["SESSION_REFRESH_EACH_REQUEST"]:
            super().save_session(app, session, response)
        elif session.accessed:
            vary_by(response.headers, "Cookie")


class _Paths(MapAdapter):
    """Remembers which rule a path led to. Only what was found: nothing of what was refused or is sent elsewhere."""

    found: dict[tuple[str, str], tuple[Any, dict[str, Any]]]

    def match(self, *given: Any, **more: Any) -> Any:
        if given or more != {"return_rule": True} or self.websocket or len(self.path_info) > LONGEST_PATH:
            return super().match(*given, **more)
        key = (self.default_method, self.path_info)
        known = self.found.get(key)
        if known is None:
            rule, values = super().match(return_rule=True)
            known = (rule, dict(values))
            if len(self.found) >= MOST_PATHS:
                self.found.clear()
            self.found[key] = known
        return known[0], dict(known[1])


@lru_cache(1_000)
def _host(scheme: str, header: str) -> str:
    """The name under which the site was asked for, without the port that everybody uses. Raises UnicodeError."""
    name, sign, port = get_host(scheme, header).lower().partition(":")
    return f"{name.encode('idna').decode('ascii')}{sign}{port}"


class LeanFlask(Flask):
    """Its views and hooks are plain functions, none of them a coroutine; hooks belong to the application, none to a blueprint."""

    session_interface = _Sessions()
    url_rule_class = LateRule

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session_interface = _Sessions()
        self._found: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func

    # --- from the request to its view ---

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        config = self.config
        if request is None or config["SERVER_NAME"] is not None or config["TRUSTED_HOSTS"] is not None:
            return super().create_url_adapter(request)
        environ = request.environ
        if "HTTP_UPGRADE" in environ or not environ.get("HTTP_HOST"):
            return super().create_url_adapter(request)
        try:
            host = _host(environ["wsgi.url_scheme"], environ["HTTP_HOST"])
        except UnicodeError:
            return super().create_url_adapter(request)  # which refuses it
        adapter = _Paths(
            self.url_map,
            host,
            environ.get("SCRIPT_NAME") or "/",
            "",
            environ["wsgi.url_scheme"],
            request.path if environ.get("PATH_INFO") else "",
            environ["REQUEST_METHOD"],
            environ.get("QUERY_STRING", ""),
        )
        adapter.found = self._found
        return adapter

    def full_dispatch_request(self) -> Response:
        if request_started.receivers or request_finished.receivers:
            return super().full_dispatch_request()
        self._got_first_request = True
        answered: Any
        try:
            answered = self.preprocess_request()
            if answered is None:
                answered = self.dispatch_request()
        except Exception as fault:  # noqa: BLE001 - the handlers of errors decide
            answered = self.handle_user_exception(fault)
        return self.process_response(answered if type(answered) is Response else self.make_response(answered))

    def preprocess_request(self) -> Any:
        if self.url_value_preprocessors or len(self.before_request_funcs) > 1:
            return super().preprocess_request()
        for before in self.before_request_funcs[None]:
            answered: Any = before()
            if answered is not None:
                return answered
        return None

    def dispatch_request(self) -> Any:
        request = _cv_request.get().request
        rule = request.url_rule
        if request.routing_exception is not None or rule is None or request.method == "OPTIONS":
            return super().dispatch_request()
        return self.view_functions[rule.endpoint](**(request.view_args or {}))

    # --- from the view to what is sent ---

    def process_response(self, response: Response) -> Response:
        context = _cv_request.get()
        if context._after_request_functions or len(self.after_request_funcs) > 1:
            return super().process_response(response)
        for after in reversed(self.after_request_funcs[None]):
            response = after(response)
        session = context._session
        assert session is not None
        if not self.session_interface.is_null_session(session):
            self.session_interface.save_session(self, session, response)
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        if request_tearing_down.receivers or len(self.teardown_request_funcs) > 1:
            super().do_teardown_request(exc)
        else:
            for last in reversed(self.teardown_request_funcs[None]):
                last(exc)

    def do_teardown_appcontext(self, exc: BaseException | None = None) -> None:
        if appcontext_tearing_down.receivers:
            super().do_teardown_appcontext(exc)
        else:
            for last in reversed(self.teardown_appcontext_funcs):
                last(exc)

    def wsgi_app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        context = self.request_context(environ)
        error: BaseException | None = None
        try:
            try:
                context.push()
                response = self.full_dispatch_request()
            except Exception as fault:  # noqa: BLE001 - the same
                error = fault
                response = self.handle_exception(fault)
            except BaseException:
                error = sys.exc_info()[1]
                raise
            return _sent(response, environ, start_response, context.__dict__.get(HEADERS, {}))
        finally:
            if "werkzeug.debug.preserve_context" in environ:
                environ["werkzeug.debug.preserve_context"](_cv_app.get())
                environ["werkzeug.debug.preserve_context"](_cv_request.get())
            context.pop(error)


def _sent(response: Response, environ: Any, start_response: Any, told: dict[str, str]) -> Iterable[bytes]:
    """Begin to send it with the headers that were told besides. What is whole is sent as it is."""
    body, status, headers = response.response, response.status_code, response.headers
    is_whole = type(body) is list and not response._on_close and "Content-Length" in headers
    if (
        not is_whole
        or "Location" in headers
        or environ["REQUEST_METHOD"] == "HEAD"
        or status in (204, 206)
        or status < 200
    ):
        for name, value in told.items():
            headers[name] = value
        return response(environ, start_response)
    sent = [each for each in headers if each[0] not in told]
    if status == 304:
        body = []
        sent = [each for each in sent if each[0].lower() in _KEPT_OF_304 or not is_entity_header(each[0])]
    start_response(response.status, [*sent, *told.items()])
    return body  # type: ignore[return-value]
