"""The extensions of Flask without what they work out anew for each request although it never changes here.

Each class is the library's own with one answer remembered. What that saves is in docs/decisions/reads.md.
"""

from functools import lru_cache, partial
from typing import Any, ClassVar

from flask import Flask, Response, current_app, request
from flask.globals import _cv_request
from flask_compress import Compress
from flask_compress.flask_compress import _choose_algorithm, _compress_data
from flask_limiter import Limiter, RequestLimit
from flask_limiter._extension import LimiterContext
from flask_limiter._limits import RuntimeLimit
from flask_limiter.errors import RateLimitExceeded
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFProtect
from limits import RateLimitItem, WindowStats
from limits.storage import MemoryStorage
from limits.strategies import STRATEGIES

from codyverse.core.resilience import again
from codyverse.http.counting import PatientMemory
from codyverse.http.pipeline import asked, tell, vary_by, view_asked


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
        environ = asked().environ
        scheme = (environ["wsgi.url_scheme"] in ("https", "wss"), environ.get("HTTP_X_FORWARDED_PROTO"))
        known = self._known.get(scheme)
        if known is None:
            sample: Response = super()._set_response_headers(Response())
            known = [
                each for each in sample.headers if not each[0].startswith("Content-") or "Policy" in each[0]
            ]
            if scheme[1] in (None, "http", "https"):
                self._known[scheme] = known
        tell(known)
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
        headers, environ = response.headers, asked().environ
        vary_by(headers, "Accept-Encoding")
        if not 200 <= response.status_code < 300 or "Content-Encoding" in headers:
            return response
        if int(headers.get("Content-Length") or 0) < self._least or not self._takes(
            headers.get("Content-Type", "")
        ):
            return response
        chosen = _encoding(self.enabled_algorithms, environ.get("HTTP_ACCEPT_ENCODING", ""))
        if chosen is not None:
            response.set_data(_compress_data(current_app, response.get_data(), chosen))
            headers["Content-Encoding"] = chosen
            tag = headers.get("ETag")
            if tag is not None and tag.startswith('"'):
                headers["ETag"] = f'{tag[:-1]}:{chosen}"'  # what is compressed has a tag of its own
            if "HTTP_IF_NONE_MATCH" in environ and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
                response.make_conditional(request)
        return response

    def _takes(self, kind: str) -> bool:
        """Whether what is of this content type gets shorter."""
        return kind.partition(";")[0].strip().lower() in self.compress_mimetypes_set


class LeanCSRF(CSRFProtect):  # type: ignore[misc]
    """A request that cannot change anything needs no look at whether its view is exempt."""

    def protect(self, apply_exemptions: bool = False) -> None:
        if asked().method not in ("GET", "HEAD"):
            super().protect(apply_exemptions)


_MET = "codyverse_limits_met"


def _is_of(limiter: Limiter, hook: Any) -> bool:
    """Whether the library has hung this hook up for the limiter: it looks for its notes where none are, at each request."""
    owner = hook.args[0] if isinstance(hook, partial) else getattr(hook, "__self__", None)
    return owner is limiter


class LeanLimiter(Limiter):
    """What is exempt is let through before anything is looked up; a view that has no limits of its own meets the one that
    all have, on a short way; what counts while Valkey is away is patient."""

    _known: ClassVar[dict[str, RuntimeLimit | None]] = {}
    """By the words of the setting."""

    def init_app(self, app: Flask) -> None:
        super().init_app(app)
        self._fallback_storage = PatientMemory()
        self._fallback_limiter = STRATEGIES[self._strategy or "fixed-window"](self._fallback_storage)
        for hooks in (app.after_request_funcs[None], app.teardown_request_funcs[None]):
            hooks[:] = [each for each in hooks if not _is_of(self, each)]
        app.after_request(self._deduct)

    @property
    def context(self) -> LimiterContext:
        """What this request has met so far; it ends with it."""
        held = _cv_request.get().__dict__
        found: LimiterContext | None = held.get(_MET)
        if found is None:
            found = held[_MET] = LimiterContext()
        return found

    def _deduct(self, response: Response) -> Response:
        """Count what counts only now that it is known how the request ended, and has failed."""
        met: LimiterContext | None = _cv_request.get().__dict__.get(_MET)
        if met is not None and met.conditional_deductions:
            self._Limiter__check_conditional_deductions(response)  # type: ignore[attr-defined]
        return response

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        view = view_asked()
        if in_middleware and getattr(view, "no_limit", False):
            return
        again(self._key_func)  # it finds out who acts, on a connection that may have broken since
        everybodys = self._everybodys() if in_middleware and view is not None else None
        if everybodys is None or self._storage_dead or asked().method == "OPTIONS":
            super()._check_request_limit(callable_name, in_middleware)
        else:
            self._count(everybodys)

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

    def _count(self, limit: RuntimeLimit) -> None:
        """As the library does it, with a key that is put together once; a count that fails is left to the library, which
        knows what to do then."""
        request = asked()
        args = (self._key_prefix, limit.key_func(), limit.scope_for(request.endpoint or "", request.method))
        met = RequestLimit(self, limit.limit, list(args), False, limit.shared)
        amount, seconds, key = limit.limit.amount, limit.limit.get_expiry(), _key(limit.limit, args)
        storage: Any = self.limiter.storage
        try:
            let_in = storage.acquire_entry(key, amount, seconds)
            if isinstance(storage, MemoryStorage):
                began, used = storage.get_moving_window(key, amount, seconds)
                met._window = WindowStats(began + seconds, amount - used)
        except Exception:  # noqa: BLE001 - whatever a storage raises
            super()._check_request_limit(None, in_middleware=True)
            return
        met.breached = not let_in
        context = self.context
        context.view_rate_limit, context.view_rate_limits = met, [met]
        if not let_in:
            raise RateLimitExceeded(limit)


@lru_cache(10_000)
def _key(limit: RateLimitItem, args: tuple[str, ...]) -> str:
    return limit.key_for(*args)
