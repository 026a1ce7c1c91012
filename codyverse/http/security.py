"""What protects every page: headers, CSRF, refused signs, ids that fit, redirects that stay here."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request
from werkzeug.datastructures import ContentSecurityPolicy
from werkzeug.exceptions import BadRequest
from werkzeug.routing import IntegerConverter

from codyverse.http.lean import LeanCSRF, LeanTalisman
from codyverse.http.pipeline import asked, tell, view_asked

csrf = LeanCSRF()
View = TypeVar("View", bound=Callable[..., Any])
BIGINT_MAX = 2**63 - 1
MOST_DRAINED = 32 * 2**20


class RefusedText(BadRequest):
    """Text that cannot be stored or read."""

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message


def _up_to(most: str) -> str:
    """A pattern for the whole numbers from 1 to `most`, without leading zeros."""
    places = len(most)
    same_length = [
        f"{most[:place]}[{int(place == 0)}-{int(digit) - 1}][0-9]{{{places - place - 1}}}"
        for place, digit in enumerate(most)
        if int(digit) > int(place == 0)
    ]
    return "|".join([f"[1-9][0-9]{{0,{places - 2}}}", *same_length, most])


class IdConverter(IntegerConverter):
    """A positive integer that fits PostgreSQL's bigint; anything else is simply not found.

    The pattern itself says so: what a converter refuses only later is 405 where a path takes several methods.
    """

    regex = _up_to(str(BIGINT_MAX))

    def __init__(self, map) -> None:  # type: ignore[no-untyped-def]  # noqa: A002 - werkzeug's signature
        super().__init__(map, min=1, max=BIGINT_MAX)


def content_security_policy(asset_host: str | None) -> dict[str, str]:
    """Nothing inline, nothing evaluated, nothing from elsewhere but the host of the hashed files, if there is one."""
    ours = f"'self' {asset_host}/" if asset_host else "'self'"
    return {
        "default-src": "'none'",
        "script-src": ours,
        "style-src": ours,
        "img-src": ours,
        "font-src": ours,
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


def draws_from_data(view: View) -> View:
    """Let the page of this view, and no other, draw pictures that stand in its style sheet as data: addresses."""
    view.draws_from_data = True  # type: ignore[attr-defined]
    return view


def _allow_data_pictures(response: Response) -> Response:
    if getattr(view_asked(), "draws_from_data", False):
        policy = content_security_policy(current_app.config.get("ASSET_URL"))
        policy["img-src"] += " data:"
        tell([("Content-Security-Policy", ContentSecurityPolicy(policy).to_header())])
    return response


def safe_next(target: str | None) -> str | None:
    """The path to go on to, if it stays on this site; None for anything else.

    Browsers read a backslash as a slash and drop tabs and newlines, so these never pass.
    """
    if not target or len(target) > 2_000 or not target.startswith("/") or target.startswith("//"):
        return None
    if "\\" in target or any(ord(sign) < 33 or ord(sign) == 127 for sign in target):
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target


def _refuse_text() -> None:
    """No text that people send may hold NUL, which no column can store, or be anything but UTF-8.

    Bytes that are not UTF-8 arrive as U+FFFD; kept so, two different passwords could be the same.
    """
    view, request = view_asked(), asked()
    if view is None:
        return  # nothing is there
    if getattr(view, "takes_token", False):
        return  # the API's schemas say what they take
    texts = [*request.args.values(), request.path] if request.query_string else [request.path]
    if request.mimetype in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        texts += [each for pair in request.form.items(multi=True) for each in pair]
    if any("\x00" in text for text in texts):
        raise RefusedText(
            "The text contains a character (NUL) that cannot be stored. Remove it and send again."
        )
    if any("\ufffd" in text for text in texts):
        raise RefusedText("The text contains characters that cannot be read. Write them anew and send again.")


def drain() -> None:
    """Read a body that is too large to its end and forget it, so that the browser stops sending and reads our answer.

    Cut off in the middle it would show a broken connection instead. What is larger still is cut off all the same.
    """
    announced = request.content_length or 0
    if announced <= (request.max_content_length or 0):
        return
    left = min(announced, MOST_DRAINED)
    source = request.environ["wsgi.input"]
    while left > 0 and (piece := source.read(min(left, 65_536))):
        left -= len(piece)


def _no_store(response: Response) -> Response:
    """Pages belong to one person; only what says otherwise may be kept by caches."""
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "private, no-cache"
    return response


def install(app: Flask) -> None:
    """Attach all of it."""
    app.url_map.converters["id"] = IdConverter
    csrf.init_app(app)
    secure = bool(app.config["SESSION_COOKIE_SECURE"])
    app.after_request(
        _allow_data_pictures
    )  # what is attached first runs last: after Talisman has set its policy
    LeanTalisman(
        app,
        force_https=False,
        strict_transport_security=secure,
        frame_options="DENY",
        content_security_policy=content_security_policy(app.config.get("ASSET_URL")),
        referrer_policy="same-origin",
        permissions_policy={
            "browsing-topics": "()",
            "camera": "()",
            "geolocation": "()",
            "microphone": "()",
        },
        session_cookie_secure=secure,
        x_xss_protection=False,
    )
    app.before_request(_refuse_text)
    app.after_request(_no_store)
