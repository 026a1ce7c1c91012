"""A program that speaks to the API, and holds every answer against what the document promises."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from threading import Barrier
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from werkzeug.test import TestResponse

from codyverse.accounts import tokens
from codyverse.accounts.tokens import SCOPES
from codyverse.api.openapi import document
from codyverse.core.database import unit_of_work

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
DOCUMENT = "urn:api"
_documents: dict[int, dict[str, Any]] = {}


def spec_of(app: Flask) -> dict[str, Any]:
    """The document of this application, made once."""
    if id(app) not in _documents:
        _documents[id(app)] = document(app)
    return _documents[id(app)]


@cache
def _registry(key: int) -> Registry:
    resource = Resource.from_contents(_documents[key], default_specification=DRAFT202012)
    return Registry().with_resource(DOCUMENT, resource)


@dataclass
class Told:
    """What came back."""

    response: TestResponse

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def json(self) -> Any:
        return self.response.get_json()

    @property
    def data(self) -> Any:
        return self.json["data"]

    @property
    def code(self) -> str:
        return self.json["code"]

    @property
    def headers(self) -> Any:
        return self.response.headers


class Program:
    """A client with a token, or none. Every answer is checked: envelope, status, code, schema, headers."""

    def __init__(self, app: Flask, token: str | None = None) -> None:
        self.app = app
        self.client: FlaskClient = app.test_client(use_cookies=False)
        self.token = token

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int | None = None,
        headers: dict[str, str] | None = None,
        checked: bool = True,
        **more: Any,
    ) -> Told:
        """`body` as JSON; `data=` and `content_type=` send what is none. `status` is the one expected.

        Threads that are to meet send with `checked=False` and check afterwards.
        """
        given = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        kind = {"json": body} if body is not None else {}
        response = self.client.open(
            f"/api{path}", method=method, headers=given | (headers or {}), **kind | more
        )
        told = Told(response)
        if status is not None:
            assert told.status == status, f"{method} {path}: {told.status}\n{response.text[:2000]}"
        if checked:
            check(self.app, method, path, told)
        return told

    def get(self, path: str, *, status: int = 200, **more: Any) -> Told:
        return self.send("GET", path, status=status, **more)

    def post(self, path: str, body: Any = None, *, status: int = 200, **more: Any) -> Told:
        return self.send("POST", path, body, status=status, **more)

    def put(self, path: str, body: Any = None, *, status: int = 200, **more: Any) -> Told:
        return self.send("PUT", path, body, status=status, **more)

    def patch(self, path: str, body: Any = None, *, status: int = 200, **more: Any) -> Told:
        return self.send("PATCH", path, body, status=status, **more)

    def delete(self, path: str, *, status: int = 204, **more: Any) -> Told:
        return self.send("DELETE", path, status=status, **more)


def token_for(user_id: int, *scopes: str, by_operator: bool = True) -> str:
    """A token with these scopes, or with all that the person's role covers."""
    with unit_of_work():
        text, _ = tokens.issue_token(user_id, "test", scopes or _all_scopes(user_id), by_operator=by_operator)
    return text


def _all_scopes(user_id: int) -> list[str]:
    from codyverse.accounts.models import User
    from codyverse.core.database import session

    user = session.get(User, user_id)
    assert user is not None
    return sorted(tokens.allowed_scopes(user.role, by_operator=True) & SCOPES.keys())


def check(app: Flask, method: str, path: str, told: Told) -> None:
    """Hold the answer against the document; paths that it does not know must be 404, methods 405."""
    response = told.response
    assert response.headers.get("X-Request-Id"), "a request id"
    counted = told.status not in {404, 405} and told.status < 500
    assert response.headers.get("RateLimit-Limit") or not counted, "the limit is told"
    found = operation_at(app, method, path)
    good = (found or {}).get("responses", {}).get(str(told.status), {}).get("content", {})
    if response.mimetype in good and response.mimetype != "application/json":
        return  # a stream
    if told.status in {204, 304}:
        assert response.data == b"", f"{told.status} has no body"
    else:
        envelope(told)
    if found is None:
        assert told.status in {404, 405}, f"{method} {path} is not documented, and answered {told.status}"
        return
    documented = found["responses"].get(str(told.status))
    assert documented, f"{found['operationId']}: {told.status} is not documented\n{response.text[:500]}"
    content = documented.get("content", {}).get("application/json")
    if content is None:
        assert response.data == b"", f"{found['operationId']} {told.status}: a body that is not documented"
        return
    spec_of(app)
    registry = _registry(id(app))
    schema = {"$ref": DOCUMENT + _pointer(found, told.status)}
    faults = list(Draft202012Validator(schema, registry=registry).iter_errors(told.json))
    assert not faults, f"{found['operationId']} {told.status}: {faults[0].message} at {list(faults[0].path)}"


def _pointer(found: dict[str, Any], status: int) -> str:
    path = found["x-path"].replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
    return f"#/paths/{path}/{found['x-method']}/responses/{status}/content/application~1json/schema"


def operation_at(app: Flask, method: str, path: str) -> dict[str, Any] | None:
    """The documented operation at this address, with `x-path` and `x-method`."""
    bare = "/api" + path.partition("?")[0]
    wanted = "get" if method == "HEAD" else method.lower()
    exact = spec_of(app)["paths"].get(bare)
    if exact is not None and wanted not in exact:
        return None
    for template, operations in sorted(spec_of(app)["paths"].items(), key=lambda each: each[0].count("{")):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, bare) and wanted in operations:
            return operations[wanted] | {"x-path": template, "x-method": wanted}
    return None


def envelope(told: Told) -> None:
    """One shape for all answers."""
    assert told.response.mimetype == "application/json", told.response.text[:500]
    body = told.json
    assert TIME.fullmatch(body["timestamp"])
    if told.status < 400:
        assert body.keys() == {"success", "data", "message", "timestamp"}
        assert body["success"] is True
        return
    assert body.keys() - {"details"} == {"success", "error", "code", "timestamp"}
    assert body["success"] is False
    assert body["error"]
    for secret in ("Traceback", "psycopg2", "SELECT ", "select ", "/work", ".py", "sqlalchemy"):
        assert secret not in told.response.text, f"leaks {secret}"


def at_once(acts: list[Callable[[], Any]]) -> list[Any]:
    """Run all acts at once, each in a thread of its own; what each returned. A fault of one is raised here."""
    gate = Barrier(len(acts))

    def one(act: Callable[[], Any]) -> Any:
        gate.wait(60)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))
