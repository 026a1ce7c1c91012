"""Flask and its extensions without what they work out anew for each request although it never changes here.

Each class is the library's own with one answer remembered. What that saves is in docs/decisions/reads.md.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, current_app, request
from flask.sessions import SecureCookieSessionInterface
from flask_limiter import Limiter
from flask_talisman import Talisman
from itsdangerous import URLSafeTimedSerializer
from jinja2 import Template
from jinja2.environment import TemplateModule
from jinja2.runtime import Context
from limits.strategies import STRATEGIES

from codyverse.http.counting import PatientMemory


class _Sessions(SecureCookieSessionInterface):
    """Signed cookies, with one signer for as long as the keys are the same."""

    def __init__(self) -> None:
        self._made: tuple[object, URLSafeTimedSerializer] | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        keys = (app.secret_key, tuple(app.config["SECRET_KEY_FALLBACKS"] or ()))
        if self._made is None or self._made[0] != keys:
            made = super().get_signing_serializer(app)
            if made is None:
                return None
            self._made = (keys, made)
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
    """No view has options of its own, and no policy a nonce: the headers are the same for all requests of a scheme."""

    _known: dict[tuple[bool, str | None], list[tuple[str, str]]]

    def init_app(self, app: Flask, **options: Any) -> None:
        self._known = {}
        super().init_app(app, **options)

    def _set_response_headers(self, response: Response) -> Response:
        scheme = (request.is_secure, request.headers.get("X-Forwarded-Proto"))
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


class LeanLimiter(Limiter):
    """What is exempt is let through before anything is looked up; what counts while Valkey is away is patient."""

    def init_app(self, app: Flask) -> None:
        super().init_app(app)
        self._fallback_storage = PatientMemory()
        self._fallback_limiter = STRATEGIES[self._strategy or "fixed-window"](self._fallback_storage)

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        view = current_app.view_functions.get(request.endpoint or "")
        if in_middleware and getattr(view, "no_limit", False):
            return
        super()._check_request_limit(callable_name, in_middleware)


class LeanTemplate(Template):
    """No template gets globals of its own, so that what an import gives is the same each time."""

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:  # noqa: ARG002 - jinja's signature
        if self._module is None:
            self._module = self.make_module()
        return self._module
