"""Loaded by schemathesis: who it is, and what no schema can say.

It is one person with a token of all scopes; for what ends a token it is somebody new each time, so that nothing is left
out and the run goes on.
"""

import itertools
import json
import os
import secrets
from typing import Any

import requests
import schemathesis
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

URL = os.environ["STRANGER_URL"]
TOKEN, COOKIE = os.environ["STRANGER_TOKEN"], os.environ["STRANGER_COOKIE"]
EMAIL, PASSWORD = os.environ["STRANGER_EMAIL"], os.environ["STRANGER_PASSWORD"]
WITHOUT_TOKEN = {"register", "createToken"}
BY_SESSION = {"listTokens"}
ENDS_THE_TOKEN = {"eraseMe", "revokeToken"}
PLACES: dict[str, dict[str, Any]] = json.loads(os.environ["STRANGER_PLACES"])
"""Parts of paths that want another id than 1: operation → part → which."""
COURSE: dict[str, Any] = json.loads(os.environ["STRANGER_COURSE"])
"""The document of a course that is there, for who replaces it: no other may have its key, and few random ones are courses."""
BEYOND_SCHEMAS: dict[str, set[str]] = {
    # how strong a password is; which addresses, names and time zones there are
    "register": {"password", "email", "name", "timeZone"},
    # both or none; a time that is still to come; what the account covers; visible signs
    "createToken": {"password", "email", "expiresAt", "scopes", "name"},
    # who has taken a page's name, and that a page needs one; which names and time zones there are
    "changeMe": {"publicPage.handle", "name", "timeZone"},
    # the answer's shape follows from the step's kind; some steps ask nothing
    "answerStep": {"answer", "stepId"},
    # the rules that `content lint` checks; what a course's key may be once it is there
    "createCourse": {"*"},
    "replaceCourse": {"*"},
    "changeCourse": {"*"},
    # the draft's shape follows from the step's kind; a step that asks is not read
    "saveDraft": {"answer"},
    "readStep": {"stepId"},
    # which names lead to a public address
    "createWebhook": {"url"},
}
"""Fields whose last word is a rule that JSON Schema cannot say: 422 for a value that fits the schema is right there."""
_numbers = itertools.count(1)
_texts: dict[str, str] = {}


def _somebody_new() -> str:
    """A token of an account that nobody will miss."""
    email = f"passer-{secrets.token_hex(6)}-{next(_numbers)}@example.org"
    person = {"email": email, "password": PASSWORD}
    requests.post(f"{URL}/api/auth/register", json=person | {"name": "Passer"}, timeout=30).raise_for_status()
    wanted = person | {"name": "once", "scopes": ["profile:read", "profile:write"]}
    made = requests.post(f"{URL}/api/auth/tokens", json=wanted, timeout=30)
    made.raise_for_status()
    return str(made.json()["data"]["token"])


def _name(operation: Any) -> str:
    return str(operation.definition.raw["operationId"])


@schemathesis.auth(refresh_interval=None)
class Credentials:
    """The credential of each call."""

    def get(self, case: Any, context: Any) -> dict[str, str]:
        """For what ends a token: the very token that is named, or one of somebody new."""
        name = _name(context.operation)
        if name in WITHOUT_TOKEN:
            return {}
        if name in BY_SESSION:
            return {"Cookie": f"codyverse={COOKIE}"}
        text = TOKEN
        if name in ENDS_THE_TOKEN:
            text = _texts.get(str((case.path_parameters or {}).get("tokenId"))) or _somebody_new()
        return {"Authorization": f"Bearer {text}"}

    def set(self, case: Any, data: dict[str, str], _: Any) -> None:
        """Send it."""
        case.headers = {**(case.headers or {}), **data}


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Every other id is one that is there, mostly 1: of random ids hardly one is."""
    there = PLACES.get(_name(context.operation), {})
    return {name: _there(name, value, there) for name, value in (path_parameters or {}).items()}


def _there(name: str, value: Any, there: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return there.get(name, value) if len(value) % 2 else value
    return there.get(name, 1) if isinstance(value, int) and value % 2 else value


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Who signs in with an address and a password that could be some is the one who is there; hooks need no names."""
    name = _name(context.operation)
    if not isinstance(body, dict):
        return body
    if name == "createToken" and _could_be(body.get("email")) and _could_be(body.get("password")):
        return body | {"email": EMAIL, "password": PASSWORD}
    if name == "createWebhook" and str(body.get("url", "")).startswith("https://") and _could_be(body["url"]):
        return body | {"url": f"https://9.9.9.9/{next(_numbers)}"}
    return body


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Every other body that is meant to be good replaces the course that is there by one of another title."""
    meant_well = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if _name(case.operation) == "replaceCourse" and meant_well and next(_numbers) % 2:
        case.body = COURSE | {"title": f"Another title {next(_numbers)}"}


def _could_be(text: Any) -> bool:
    return isinstance(text, str) and 0 < len(text) < 200 and text.isprintable()


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Keep the texts of new tokens: only a token itself may revoke itself."""
    if _name(case.operation) == "createToken" and response.status_code == 201:
        made = response.json()["data"]
        _texts[str(made["id"])] = made["token"]


@schemathesis.check
def what_fits_is_taken(ctx: Any, response: Any, case: Any) -> None:
    """The tool's own check of the same, but for versions that are not met, a key that stood for another request, and the
    rules named above.
    """
    if response.status_code == 412 and "If-Match" in (case.headers or {}):
        return
    if response.status_code == 422:
        told = response.json()
        if told["code"] == "IDEMPOTENCY_KEY_REUSED":
            return
        blamed, known = set(told.get("details", {})), BEYOND_SCHEMAS.get(_name(case.operation), set())
        if blamed and (blamed <= known or "*" in known):
            return
    positive_data_acceptance(ctx, response, case)
