"""The OpenAPI 3.1 document, made from the operations and their schemas: what is declared is what is documented."""

import re
from http import HTTPStatus
from typing import Any, Literal

from apispec import APISpec
from flask import Flask
from pydantic import BaseModel, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.json_schema import models_json_schema

from codyverse.accounts.tokens import SCOPES
from codyverse.api.operation import OPERATIONS, Operation
from codyverse.http.errors import CODES, STATUS_OF_CODE

Mode = Literal["validation", "serialization"]
References = dict[tuple[type[BaseModel], Mode], dict[str, Any]]
REF = "#/components/schemas/{model}"
STATUS = {
    "VALIDATION_ERROR": 422,
    "USER_NOT_FOUND": 404,
    "LESSON_NOT_FOUND": 404,
    "COURSE_NOT_FOUND": 404,
    "SECOND_FACTOR_REQUIRED": 401,
    "CONFLICT": 409,
    "ATTEMPT_INCOMPLETE": 409,
    "IDEMPOTENCY_IN_PROGRESS": 409,
    "INTERNAL_ERROR": 500,
    **STATUS_OF_CODE,
    **{code: status for status, code in CODES.items() if status not in (400, 422)},
}
"""The status of each code of the contract."""
TAGS = {
    "Accounts": "Accounts and tokens.",
    "People": "Your own profile; for operators everybody's.",
    "Courses": "What is taught. Authors write courses of their own.",
    "Lessons": "Doing a lesson: begin, answer, finish. The server grades and times it.",
    "Progress": "What was learned, and reports from elsewhere.",
    "Game": "Levels, badges, goals, ledger, leagues, shop.",
    "Notifications": "What happened, as it happens.",
    "Webhooks": "Telling other systems.",
    "Site": "The site itself.",
}
INFO = """\
Everything a learner can do on a page, a program can do here.

**Answers.** `{"success": true, "data": …, "message": …, "timestamp": …}`, or `{"success": false, "error": …, "code": …,
"timestamp": …}` with `details` (field → reasons) for `VALIDATION_ERROR`. Times are ISO 8601 in UTC.

**Who you are.** Send `Authorization: Bearer cody_…`, or the session cookie with its CSRF token in `X-CSRFToken`.

**Sending again.** Every POST takes an `Idempotency-Key` of your own: for 24 hours the same request under the same key has
one effect and the same answer.

**Limits.** Each person has so many requests a minute; `RateLimit-…` headers say how many are left.
"""


def document(app: Flask) -> dict[str, Any]:
    """The whole document; the same every time."""
    settings = app.extensions["settings"]
    spec = APISpec(
        title="Cody Verse",
        version=app.config["CODYVERSE_VERSION"],
        openapi_version="3.1.1",
        info={"description": INFO, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": settings.base_url, "description": "This site"}],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    names = _schemas(spec)
    _security(spec)
    paths: dict[str, dict[str, Any]] = {}
    for op in OPERATIONS.values():
        paths.setdefault(_path(op), {})[op.method.lower()] = _operation(op, names)
    for path, operations in paths.items():
        spec.path(path=path, operations=operations)
    return spec.to_dict()


def _security(spec: APISpec) -> None:
    scopes = "\n".join(f"- `{name}`: {text}" for name, text in SCOPES.items())
    spec.components.security_scheme(
        "bearer",
        {
            "type": "http",
            "scheme": "bearer",
            "description": f"A personal access token. Its scopes:\n\n{scopes}",
        },
    )
    spec.components.security_scheme(
        "session",
        {
            "type": "apiKey",
            "in": "cookie",
            "name": "codyverse",
            "description": "The session of a browser; writes need its CSRF token in `X-CSRFToken`.",
        },
    )


# --- schemas ---


def _models() -> list[tuple[type[BaseModel], Mode]]:
    found: dict[tuple[type[BaseModel], Mode], None] = {}
    for op in OPERATIONS.values():
        if op.body is not None:
            found[op.body, "validation"] = None
        for each in (op.returns, op.meanwhile):
            if isinstance(each, type) and issubclass(each, BaseModel):
                found[each, "serialization"] = None
    return list(found)


def _schemas(spec: APISpec) -> References:
    """Put all schemas into the document; the reference of each."""
    references, whole = models_json_schema(_models(), by_alias=True, ref_template=REF)
    for name, schema in whole.get("$defs", {}).items():
        spec.components.schema(name, component=_plain(schema))
    spec.components.schema("Failure", component=_failure())
    return {(model, mode): _plain(told) for (model, mode), told in references.items()}  # type: ignore[misc]


def _plain(schema: Any) -> Any:
    """Without the titles that pydantic makes up from the names."""
    if isinstance(schema, dict):
        return {
            name: _plain(value)
            for name, value in schema.items()
            if not (name == "title" and isinstance(value, str))
        }
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema


def _failure() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Something did not work; `code` says what, `error` says it to a person.",
        "required": ["success", "error", "code", "timestamp"],
        "additionalProperties": False,
        "properties": {
            "success": {"const": False},
            "error": {"type": "string"},
            "code": {"type": "string", "enum": sorted(STATUS)},
            "timestamp": {"type": "string", "format": "date-time"},
            "details": {
                "type": "object",
                "description": "Field → reasons.",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
            },
        },
    }


def _success(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["success", "data", "message", "timestamp"],
        "additionalProperties": False,
        "properties": {
            "success": {"const": True},
            "data": data,
            "message": {"type": "string"},
            "timestamp": {"type": "string", "format": "date-time"},
        },
    }


# --- one operation ---


def _path(op: Operation) -> str:
    return "/api" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: "{" + to_camel(found[1]) + "}", op.path)


def _operation(op: Operation, names: References) -> dict[str, Any]:
    summary, _, rest = op.description.partition("\n\n")
    told: dict[str, Any] = {
        "operationId": op.id,
        "summary": op.summary,
        "description": " ".join(summary.split()) + (f"\n\n{rest}" if rest else "") or op.summary,
        "tags": [op.tag],
        "parameters": [*_path_parameters(op), *_query_parameters(op), *_header_parameters(op)],
        "responses": _responses(op, names),
        "security": _who(op),
    }
    if op.scope:
        told["x-scope"] = op.scope
    if op.body is not None:
        content: dict[str, Any] = {"schema": names[op.body, "validation"]}
        if op.example is not None:
            content["example"] = op.example
        told["requestBody"] = {"required": not op.body_optional, "content": {"application/json": content}}
    return told


def _who(op: Operation) -> list[dict[str, list[str]]]:
    ways: list[dict[str, list[str]]] = [{"bearer": [op.scope] if op.scope else []}, {"session": []}]
    return [{}, *ways] if op.policy == "anyone" else ways


def _path_parameters(op: Operation) -> list[dict[str, Any]]:
    whole = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1}
    text = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,59}$"}
    found = re.findall(r"<(?:(\w+):)?(\w+)>", op.path)
    return [
        {
            "name": to_camel(name),
            "in": "path",
            "required": True,
            "schema": whole if kind == "id" or name == "user_id" else text,
            "example": 1 if kind == "id" or name == "user_id" else "scarf",
        }
        for kind, name in found
    ]


def _query_parameters(op: Operation) -> list[dict[str, Any]]:
    if op.query is None:
        return []
    schema = _plain(TypeAdapter(op.query).json_schema(by_alias=True))
    needed = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "in": "query",
            "required": name in needed,
            "schema": _without_null({key: value for key, value in each.items() if key != "description"}),
            **({"description": each["description"]} if "description" in each else {}),
        }
        for name, each in schema.get("properties", {}).items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Of what stands in a query: it is there or it is not, and never null."""
    kinds: list[dict[str, Any]] = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {key: value for key, value in schema.items() if key not in ("anyOf", "default")} | kinds[0]


def _header_parameters(op: Operation) -> list[dict[str, Any]]:
    found = []
    if op.method == "POST":
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": op.needs_key,
                "description": "A key of your own, such as a UUID: the same request under it has one effect.",
                "schema": {"type": "string", "pattern": "^[!#-+\\--~]{1,255}$"},
            }
        )
    if op.conditional:
        found.append(
            {
                "name": "If-Match",
                "in": "header",
                "description": "The ETag that you read: 412 if it was changed since.",
                "schema": {"type": "string"},
            }
        )
    if op.method == "GET" and op.media is None:
        found.append(
            {
                "name": "If-None-Match",
                "in": "header",
                "description": "The ETag that you have: 304 if it is still right.",
                "schema": {"type": "string"},
            }
        )
    return found


def _header(text: str, kind: str = "string") -> dict[str, Any]:
    return {"description": text, "schema": {"type": kind}}


EVENT = {
    "type": "object",
    "description": "One event of the stream, as it is read.",
    "required": ["data"],
    "properties": {
        "event": {"type": "string", "enum": ["hello", "news"]},
        "data": {"type": "string"},
        "id": {"type": "string"},
        "retry": {"type": "integer"},
    },
}
ALWAYS = {
    "X-Request-Id": _header("The request's id, which the site's log has too."),
    "RateLimit-Limit": _header("Requests a minute.", "integer"),
    "RateLimit-Remaining": _header("How many are left.", "integer"),
    "RateLimit-Reset": _header("In how many seconds one more is allowed.", "integer"),
}


RANKED = ("author", "operator")


def codes_of(op: Operation) -> tuple[str, ...]:
    """All codes that the operation may answer with, in the order of their statuses."""
    found = {"UNAUTHORIZED", "RATE_LIMITED", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR", *op.errors}
    if op.scope is not None or op.policy in RANKED or op.writes:
        found.add(
            "FORBIDDEN"
        )  # a scope or role that is too small, or a session's write without its CSRF token
    if "<user_id>" in op.path:
        found |= {"INVALID_USER_ID", "FORBIDDEN", "USER_NOT_FOUND"}
    if "<id:" in op.path:
        found.add("NOT_FOUND")  # what is no id leads nowhere, before anybody asks what it might be the id of
    if op.query is not None:
        found.add("VALIDATION_ERROR")
    if op.writes:
        found |= {"VALIDATION_ERROR", "MALFORMED_JSON", "UNSUPPORTED_MEDIA_TYPE", "PAYLOAD_TOO_LARGE"}
    if op.method == "POST":
        found |= {"VALIDATION_ERROR", "IDEMPOTENCY_IN_PROGRESS", "IDEMPOTENCY_KEY_REUSED"}
    if op.conditional:
        found.add("PRECONDITION_FAILED")
    return tuple(sorted(found, key=lambda code: (STATUS[code], code)))


def _responses(op: Operation, names: References) -> dict[str, Any]:
    told: dict[str, Any] = {str(status): _good(op, status, names) for status in (op.status, *op.also)}
    if op.method == "GET" and op.media is None:
        told["304"] = {"description": "It is as you have it.", "headers": ALWAYS}
    by_status: dict[int, list[str]] = {}
    for code in codes_of(op):
        by_status.setdefault(STATUS[code], []).append(code)
    for status, codes in by_status.items():
        told[str(status)] = _bad(status, codes)
    return told


def _good(op: Operation, status: int, names: References) -> dict[str, Any]:
    headers = dict(ALWAYS)
    if status in (201, 202):
        headers["Location"] = _header("Where it is." if status == 201 else "Where it will be.")
    if status == 202:
        headers["Retry-After"] = _header("Seconds after which it may be there.", "integer")
    if op.method == "GET" and op.media is None and status != 202:
        headers["ETag"] = _header("The version of what you got, for If-None-Match.")
    if op.method == "POST":
        headers["Idempotency-Replayed"] = _header("`true` when this is the answer of an earlier request.")
    told: dict[str, Any] = {"description": HTTPStatus(status).phrase, "headers": headers}
    returns = op.meanwhile if status == 202 and op.meanwhile is not None else op.returns
    if returns is not None:
        told["content"] = {"application/json": {"schema": _success(names[returns, "serialization"])}}
    if op.links:
        told["links"] = {name: _link(name, parameters) for name, parameters in op.links.items()}
    if op.media is not None:
        told["content"] = {op.media: {"schema": EVENT}}
    return told


def _link(target: str, parameters: dict[str, str]) -> dict[str, Any]:
    """Where one can go on from an answer. Raises KeyError for an operation that is not there."""
    return {"operationId": OPERATIONS[target].id, "parameters": parameters}


def _bad(status: int, codes: list[str]) -> dict[str, Any]:
    headers = dict(ALWAYS) if status < 500 else {"X-Request-Id": ALWAYS["X-Request-Id"]}
    if status in (429, 503):
        headers["Retry-After"] = _header("Seconds to wait.", "integer")
    if status == 401:
        headers["WWW-Authenticate"] = _header("How to say who you are.")
    schema = {
        "allOf": [
            {"$ref": REF.format(model="Failure")},
            {"properties": {"code": {"enum": codes}}, "type": "object"},
        ]
    }
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    }
