"""How an operation runs: read what was sent, check it, do it once, answer. No view does any of this itself."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, get_args
from urllib.parse import urlencode

import orjson
from flask import Response, current_app, g, request
from flask_wtf.csrf import CSRFError
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from werkzeug.exceptions import RequestEntityTooLarge

from codyverse.accounts.tokens import GRANTED_BY_OPERATORS
from codyverse.api import envelope, strict_json
from codyverse.api.operation import Operation, Reply, Written
from codyverse.api.schemas.common import Page
from codyverse.core.cache import kept as kept_answer
from codyverse.core.database import savepoint, unit_of_work
from codyverse.core.errors import DomainError, Invalid, NotAllowed
from codyverse.core.idempotency import Kept, Once
from codyverse.courses.versions import kept_of_content
from codyverse.http.access import access, bearer, principal, principal_or_none
from codyverse.http.errors import Fault, of_domain
from codyverse.http.repeating import say_harmless
from codyverse.http.security import csrf

_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x2b\x2d-\x7e]{1,255})')
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
"""Of a query only plain digits are a number, not all that Python reads as one."""
REPLAYED = "Idempotency-Replayed"
_KEPT_HEADERS = ("Content-Type", "Location", "ETag", "Last-Modified", "Link", "Cache-Control", "Retry-After")


class WrongMediaType(DomainError):
    """The body is of another kind than the API reads."""

    code = "UNSUPPORTED_MEDIA_TYPE"


def endpoint(op: Operation) -> Callable[..., Response]:
    """The Flask view of an operation."""

    @access(op.policy, takes_token=True, brings=op.brings)
    def run(**path: Any) -> Response:
        _check_rights(op)
        given = dict(path)
        key = _key(op) if op.method == "POST" else None
        if key is not None or getattr(op.view, "harmless_again", False):
            say_harmless()
        if op.body is not None:
            given["body"] = _body(op)
        else:
            _no_body()
        given |= {"query": _query(op.query)} if op.query is not None else {}
        if not op.writes:
            return _read(op, given)
        return _do(op, key, given)

    run.__name__ = op.id
    csrf.exempt(run)
    view: Callable[..., Response] = run
    for limit in op.limits:
        view = limit(view)
    return view


# --- who may ---


def _check_rights(op: Operation) -> None:
    """The scope of a token; for a browser's session the CSRF token of a write."""
    if principal_or_none() is None:
        return
    if op.scope is not None:
        must_hold(op.scope)
    if bearer() is None and op.writes:
        _check_csrf()


def must_hold(scope: str) -> None:
    """For views whose scope depends on what was sent: whoever acts must hold it. Raises NotAllowed."""
    who = principal()
    granted = scope in GRANTED_BY_OPERATORS
    if bearer() is None:
        if granted and who.role != "operator":
            raise NotAllowed(f"This needs a token with the scope {scope}, which an operator grants.")
        return
    assert who.scopes is not None
    if scope not in who.scopes:
        by_whom = ", which an operator grants" if granted else ""
        raise NotAllowed(f"This needs a token with the scope {scope}{by_whom}.")


def _check_csrf() -> None:
    try:
        csrf.protect()
    except CSRFError as fault:
        raise NotAllowed("Send the CSRF token of this browser's session in X-CSRFToken.") from fault


# --- what was sent ---


def _key(op: Operation) -> str | None:
    """The Idempotency-Key, with or without the quotes of a structured header. Raises Invalid."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        if op.needs_key:
            raise Invalid(
                {"Idempotency-Key": ["Send a key of your own, such as a UUID: what this costs is paid once."]}
            )
        return None
    found = _KEY.fullmatch(given.strip())
    if found is None:
        raise Invalid({"Idempotency-Key": ["A key has 1 to 255 visible ASCII characters."]})
    return found[1] or found[2]


def _sent() -> bytes:
    """The body. Raises RequestEntityTooLarge; of one without a length Werkzeug gives only what fits."""
    body = request.get_data(cache=True)
    if request.content_length is None and len(body) >= (request.max_content_length or 0) > 0:
        raise RequestEntityTooLarge
    return body


def _no_body() -> None:
    """An operation that reads no body takes none but an empty object."""
    if request.method != "GET" and _sent() and _json() != {}:
        raise Invalid({"": ["This takes no body."]})


def _json() -> Any:
    if request.mimetype != envelope.JSON and not request.mimetype.endswith("+json"):
        raise WrongMediaType("Send the body as application/json.")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise WrongMediaType("Send the body as it is, not compressed.")
    return strict_json.read(_sent())


def _body(op: Operation) -> BaseModel:
    """The validated body. Raises Malformed, WrongMediaType, Invalid with every fault."""
    assert op.body is not None
    if op.body_optional and not _sent():
        value: Any = {}
    else:
        value = _json()
    g.given = value
    try:
        return op.body.model_validate_json(orjson.dumps(value), strict=True)
    except ValidationError as fault:
        raise Invalid(_faults(fault, value)) from fault


def _query(schema: type[BaseModel]) -> BaseModel:
    """The validated query: texts that read as what the schema wants. Raises Invalid."""
    if not request.query_string and (nothing := _of_no_query(schema)) is not None:
        return nothing
    given: dict[str, Any] = {}
    for name, values in request.args.lists():
        if len(values) > 1:
            raise Invalid({name: ["This stands in the query twice."]})
        given[name] = values[0]
    for field in schema.model_fields.values():
        if _is_whole(field.annotation) and not _WHOLE.fullmatch(given.get(field.alias or "", "0")):
            raise Invalid({field.alias or "": ["Write a whole number in plain digits."]})
    try:
        return schema.model_validate_strings(given, strict=True)
    except ValidationError as fault:
        raise Invalid(_faults(fault, given)) from fault


@cache
def _of_no_query(schema: type[BaseModel]) -> BaseModel | None:
    """What the schema says of a query that names nothing; None if it wants something named."""
    try:
        return schema.model_validate_strings({}, strict=True)
    except ValidationError:
        return None


def _is_whole(kind: Any) -> bool:
    """Whether a field holds a whole number, or none."""
    return kind is int or any(_is_whole(part) for part in get_args(kind))


def _faults(fault: ValidationError, given: Any) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for each in fault.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(_place(each["loc"], given, missing=each["type"] == "missing"))
        message = str(each["msg"]).removeprefix("Value error, ")
        fields.setdefault(name, []).append(message)
    return fields


def _place(parts: tuple[int | str, ...], given: Any, *, missing: bool) -> Iterator[str]:
    """The path of a value as the client sent it; pydantic also names the kinds that a value might have had."""
    for number, part in enumerate(parts, 1):
        inner = _inner(given, part)
        if inner:
            given = inner[0]
            yield str(part)
        elif missing and number == len(parts):
            yield str(part)


def _inner(given: Any, part: int | str) -> tuple[Any, ...]:
    """What stands in a value under a name or number; empty if nothing does."""
    if isinstance(given, dict):
        return (given[part],) if part in given else ()
    if isinstance(given, list) and isinstance(part, int) and part < len(given):
        return (given[part],)
    return ()


# --- doing it once ---


def _do(op: Operation, key: str | None, given: Mapping[str, Any]) -> Response:
    with unit_of_work():
        once = None if key is None else _once(op, key)
        kept = once.begin(current_app.extensions["settings"].idempotency_wait_s) if once else None
        if kept is not None:
            return envelope.respond(kept.body, kept.status, kept.headers | {REPLAYED: "true"})
        try:
            with savepoint() if once else nullcontext():
                response = _answer(op, op.view(**given))
        except DomainError as fault:
            told = of_domain(fault)
            if once is None or told.status == 429 or told.status >= 500:
                raise
            response = answer_fault(told)
        if once is not None:
            headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
            kept = Kept(response.status_code, headers, response.get_data())
            once.keep(kept, secret=op.secret)
        return response


def _once(op: Operation, key: str) -> Once:
    who = principal_or_none()
    asked = [request.method, request.path, request.query_string.decode("latin-1"), g.get("given")]
    return Once.of(
        f"person:{who.id}" if who else "stranger",
        op.id,
        key,
        orjson.dumps(asked, option=orjson.OPT_SORT_KEYS),
        current_app.secret_key if isinstance(current_app.secret_key, str) else "",
    )


def nonce_of_key() -> str:
    """The Idempotency-Key of this request as a purchase's nonce: the same key buys once, also after 24 hours."""
    given = request.headers.get("Idempotency-Key", "").strip().strip('"')
    return "key-" + hashlib.sha256(given.encode()).hexdigest()[:40]


# --- answering ---


@dataclass(frozen=True, slots=True)
class _Told:
    """An answer in JSON that is ready to be sent, as often as somebody asks for it."""

    data: bytes
    message: str
    status: int
    headers: dict[str, str]
    tag: str | None
    fleeting: bool = False


def _name_of(given: Mapping[str, Any]) -> str:
    """What tells this answer of an operation from its others."""
    query: BaseModel | None = given.get("query")
    return f"api:{request.path}?{_words(query) if query is not None else ''}"


@lru_cache(1_000)
def _words(query: BaseModel) -> str:
    return query.model_dump_json()


def _read(op: Operation, given: Mapping[str, Any]) -> Response:
    """The answer to a GET, worked out or as it was kept."""

    def told() -> _Told:
        return _tell(op, op.view(**given))

    if op.of_content:
        return _send(op, kept_of_content(_name_of(given), told, "responses"))
    version = None if op.version is None else op.version(**given)
    if version is not None:
        return _send(op, kept_answer("user", *version, told, unless=lambda each: each.fleeting))
    return _answer(op, op.view(**given))


def _answer(op: Operation, reply: Reply) -> Response:
    if op.media is not None:
        return envelope.plain(reply.data, op.media)
    return _send(op, _tell(op, reply))


def _tell(op: Operation, reply: Reply) -> _Told:
    status = reply.status or op.status
    headers = dict(reply.headers)
    if reply.location is not None:
        headers["Location"] = reply.location
    if op.returns is None:
        return _Told(b"", "", status, headers, None)
    if isinstance(reply.data, Written):
        written = reply.data.json
    else:
        data = reply.data if isinstance(reply.data, BaseModel) else op.adapter.validate_python(reply.data)
        if isinstance(data, Page):
            headers.setdefault("Link", _links(data))
        written = op.adapter.dump_json(data, by_alias=True)
    tag = None
    if (op.method == "GET" and status != 202) or reply.version is not None:
        tag = reply.version or envelope.tag_of(written)
        headers["ETag"] = f'"{tag}"'
    if op.secret:
        headers["Cache-Control"] = "no-store"
    return _Told(written, reply.message, status, headers, tag, reply.fleeting)


def _send(op: Operation, told: _Told) -> Response:
    if op.method == "GET" and told.tag is not None and envelope.is_known(told.tag):
        return _not_modified(told.headers)
    body = b"" if op.returns is None else envelope.success(told.data, told.message)
    return envelope.respond(body, told.status, told.headers)


def _not_modified(headers: Mapping[str, str]) -> Response:
    response = envelope.respond(b"", 304, headers)
    response.headers.pop("Content-Type", None)
    return response


def _links(page: "Page[Any]") -> str:
    """The Link header of a page (RFC 8288)."""
    last = max(1, -(-page.total // page.per_page))
    places = {"first": 1, "last": last}
    if page.page > 1:
        places["prev"] = min(page.page - 1, last)
    if page.page < last:
        places["next"] = page.page + 1
    asked = request.args.to_dict() | {"perPage": str(page.per_page)}
    return ", ".join(
        f'<{request.path}?{urlencode(asked | {"page": str(number)})}>; rel="{name}"'
        for name, number in places.items()
    )


def answer_fault(fault: Fault) -> Response:
    """How the API tells what failed; fields by the names that the client sent."""
    details = {_name(name): faults for name, faults in fault.fields.items()}
    headers = dict(fault.headers)
    if fault.status == 401:
        sent = request.headers.get("Authorization") is not None
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if sent else "Bearer"
    response = envelope.respond(envelope.failure(fault.code, fault.message, details), fault.status, headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def _name(field: str) -> str:
    return ".".join(to_camel(part) if "_" in part else part for part in field.split("."))
