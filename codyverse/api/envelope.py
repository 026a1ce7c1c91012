"""The only place that builds an envelope, and the response around it."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response, request
from werkzeug.datastructures import ETags

from codyverse.api.schemas.common import moment_text
from codyverse.core.clock import now

JSON = "application/json"


def success(data: bytes, message: str) -> bytes:
    """The envelope around `data`, which is JSON already."""
    rest = orjson.dumps({"message": message, "timestamp": moment_text(now())})
    return b'{"success":true,"data":' + data + b"," + rest[1:]


def failure(code: str, error: str, details: Mapping[str, list[str]] | None = None, **more: Any) -> bytes:
    """The envelope of something that did not work; `details` maps fields to their faults."""
    told = {"success": False, "error": error, "code": code, "timestamp": moment_text(now())}
    if details:
        told["details"] = dict(details)
    return orjson.dumps(told | more)


def respond(body: bytes, status: int, headers: Mapping[str, str]) -> Response:
    """The answer. A 204 has no body."""
    told = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie", **headers}
    told.pop("Content-Type", None)
    response = Response(b"" if status == 204 else body, status, list(told.items()), content_type=JSON)
    if status == 204:
        response.headers.pop("Content-Type", None)
    return response


def plain(text: str, media: str) -> Response:
    """An answer that is no JSON and has no envelope."""
    response = Response(text, content_type=f"{media}; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(["Authorization", "Cookie"])
    return response


def tag_of(data: bytes) -> str:
    """The ETag of a representation: it depends on the data alone, not on the envelope's time."""
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def is_known(tag: str) -> bool:
    """Whether the client says, with If-None-Match, that it has this already, compressed or not."""
    if "HTTP_IF_NONE_MATCH" not in request.environ:
        return False
    given = request.if_none_match
    return given.star_tag or tag in bare_tags(given)


def bare_tags(given: ETags, *, weak: bool = True) -> set[str]:
    """The tags that a client sent, without what compression put behind them; what is no tag is left aside."""
    return {each.partition(":")[0] for each in given.as_set(include_weak=weak) if each}
