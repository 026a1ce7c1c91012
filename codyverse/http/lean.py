"""Flask and its extensions without what they work out anew for each request although it never changes here.

Each class is the library's own with one answer remembered. What that saves is in docs/decisions/reads.md.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, ClassVar

from flask import Flask, Request, Response, current_app, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_compress import Compress
from flask_compress.flask_compress import _choose_algorithm, _compress_data
from flask_limiter import Limiter, RequestLimit
from flask_limiter._limits import RuntimeLimit
from flask_limiter.errors import RateLimitExceeded
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFProtect
from itsdangerous import BadSignature, URLSafeTimedSerializer
from limits.strategies import STRATEGIES

from codyverse.http.counting import PatientMemory

MOST_COOKIES = 5_000


class _Sessions(SecureCookieSessionInterface):
    """Signed cookies, with one signer for as long as the keys are the same, and each cookie's signature checked once.

    A browser sends the same cookie again and again. What is remembered of one is what was signed, and when, so that it
    ends when its time is over; and only plain values, which no request can change for the next.
    """

    def __init__(self) -> None:
        self._made: tuple[object, URLSafeTimedSerializer] | None = None
        self._checked: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        sent = request.cookies.get(self.get_cookie_name(app))
        if not sent:
            return super().open_session(app, request)
        signer = self.get_signing_serializer(app)
        if signer is None:
            return None
        oldest = time.time() - app.permanent_session_lifetime.total_seconds()
        known = self._checked.get(sent)
        if known is None:
            known = self._check(signer, sent)
        if known is None or known[0] < oldest:
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


class LeanFlask(Flask):
    """Its views and handlers are plain functions, none of them a coroutine."""

    session_interface = _Sessions()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session_interface = _Sessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


class LeanTalisman(Talisman):  # type: ignore[misc]
    """No view has options of its own, no policy a nonce, nothing is sent on to https: the headers are the same for all
    requests of a scheme, and before the request there is nothing to do."""

    _known: dict[tuple[bool, str | None], list[tuple[str, str]]]

    def init_app(self, app: Flask, **options: Any) -> None:
        assert not options["force_https"]
        self._known = {}
        super().init_app(app, **options)
        hooks = app.before_request_funcs[None]
        hooks[:] = [each for each in hooks if each not in (self._force_https, self._make_nonce)]
        if self.session_cookie_secure:
            app.config["SESSION_COOKIE_SECURE"] = True

    def _set_response_headers(self, response: Response) -> Response:
        environ = request.environ
        scheme = (environ["wsgi.url_scheme"] in ("https", "wss"), environ.get("HTTP_X_FORWARDED_PROTO"))
        known = self._known.get(scheme)
        if known is None:
            sample: Response = super()._set_response_headers(Response())
            known = [
                each for each in sample.headers if not each[0].startswith("Content-") or "Policy" in each[0]
            ]
            if scheme[1] in (None, "http", "https"):
                self._known[scheme] = known
        response.headers.extend(known)
        return response


@lru_cache(256)
def _encoding(ours: tuple[str, ...], accepted: str) -> str | None:
    return _choose_algorithm(ours, accepted)


class LeanCompress(Compress):
    """Browsers say in a handful of ways what they take: each is read once. What is too short is only told to be negotiated."""

    def init_app(self, app: Flask) -> None:
        super().init_app(app)
        self._least: int = app.config["COMPRESS_MIN_SIZE"]

    def after_request(self, response: Response | None) -> Response:
        if response is None or response.is_streamed:
            return super().after_request(response)
        headers, environ = response.headers, request.environ
        vary = headers.get("Vary")
        if vary is None:
            headers["Vary"] = "Accept-Encoding"
        elif "accept-encoding" not in vary.lower():
            headers["Vary"] = f"{vary}, Accept-Encoding"
        if not 200 <= response.status_code < 300 or (response.content_length or 0) < self._least:
            return response
        if "Content-Encoding" in headers or response.mimetype not in self.compress_mimetypes_set:
            return response
        chosen = _encoding(self.enabled_algorithms, environ.get("HTTP_ACCEPT_ENCODING", ""))
        if chosen is not None:
            response.set_data(_compress_data(current_app, response.get_data(), chosen))
            headers["Content-Encoding"] = chosen
            tag, is_weak = response.get_etag()
            if tag and not is_weak:
                response.set_etag(f"{tag}:{chosen}")  # what is compressed has a tag of its own
            if "HTTP_IF_NONE_MATCH" in environ and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
                response.make_conditional(request)
        return response


class LeanCSRF(CSRFProtect):  # type: ignore[misc]
    """A request that cannot change anything needs no look at whether its view is exempt."""

    def protect(self, apply_exemptions: bool = False) -> None:
        if request.method in current_app.config["WTF_CSRF_METHODS"]:
            super().protect(apply_exemptions)


class LeanLimiter(Limiter):
    """What is exempt is let through before anything is looked up; a view that has no limits of its own meets the one that
    all have, on a short way; what counts while Valkey is away is patient."""

    _known: ClassVar[dict[str, RuntimeLimit | None]] = {}
    """By the words of the setting."""

    def init_app(self, app: Flask) -> None:
        super().init_app(app)
        self._fallback_storage = PatientMemory()
        self._fallback_limiter = STRATEGIES[self._strategy or "fixed-window"](self._fallback_storage)

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        asked = request._get_current_object()  # type: ignore[attr-defined]
        view = current_app.view_functions.get(asked.endpoint or "")
        if in_middleware and getattr(view, "no_limit", False):
            return
        everybodys = self._everybodys() if in_middleware and view is not None else None
        if everybodys is None or self._storage_dead or asked.method == "OPTIONS":
            super()._check_request_limit(callable_name, in_middleware)
        else:
            self._count(everybodys, asked)

    def _everybodys(self) -> RuntimeLimit | None:
        """The limit that all requests meet, if that is one, and a plain one."""
        declared = self.limit_manager._application_limits
        if len(declared) != 1 or self._meta_limits or not callable(declared[0].limit_provider):
            return None
        said = declared[0].limit_provider()
        if said not in self._known:
            limits = self.limit_manager.application_limits
            self._known[said] = limits[0] if len(limits) == 1 else None
        return self._known[said]

    def _count(self, limit: RuntimeLimit, asked: Request) -> None:
        """As the library does it; a count that fails is left to the library, which knows what to do then."""
        args = [self._key_prefix, limit.key_func(), limit.scope_for(asked.endpoint or "", asked.method)]
        try:
            let_in = self.limiter.hit(limit.limit, *args)
        except Exception:  # noqa: BLE001 - whatever a storage raises
            super()._check_request_limit(None, in_middleware=True)
            return
        met = RequestLimit(self, limit.limit, args, not let_in, limit.shared)
        context = self.context
        context.view_rate_limit, context.view_rate_limits = met, [met]
        if not let_in:
            raise RateLimitExceeded(limit)
