"""A test client that checks every page it visits, and signs people in as a person would."""

import re
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from lxml import html
from werkzeug.test import TestResponse

from tests.factories import PASSWORD


@dataclass
class Page:
    """What came back: the response and its parsed document."""

    response: TestResponse
    document: Any

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def text(self) -> str:
        return " ".join(self.document.text_content().split())

    def css(self, selector: str) -> list[Any]:
        return self.document.cssselect(selector)

    def field(self, name: str) -> Any:
        found = self.css(f'[name="{name}"]')
        assert found, f"no field {name}"
        return found[0]


class Visitor:
    """One browser without JavaScript."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, path: str, *, status: int = 200, htmx: bool = False) -> Page:
        response = self.client.get(path, headers=HTMX if htmx else {}, follow_redirects=not htmx)
        assert response.status_code == status, f"{path}: {response.status_code}\n{response.text[:2000]}"
        return checked(response, whole=not htmx)

    def post(
        self, path: str, fields: dict[str, Any] | None = None, *, status: int = 303, htmx: bool = False
    ) -> Page:
        """Send a form with a valid CSRF token."""
        data = dict(fields or {}) | {"csrf_token": self.token()}
        response = self.client.post(path, data=data, headers=HTMX if htmx else {})
        assert response.status_code == status, f"{path}: {response.status_code}\n{response.text[:2000]}"
        return checked(response, whole=not htmx and status != 303)

    def submit(self, page: Page, action: str, fields: dict[str, Any] | None = None, **more: Any) -> Page:
        """Send the form of `page` whose action begins with `action`, its hidden fields included."""
        form = next(each for each in page.css("form") if (each.get("action") or "").startswith(action))
        hidden = {each.get("name"): each.get("value") or "" for each in form.cssselect("input[type=hidden]")}
        return self.post(form.get("action"), hidden | (fields or {}), **more)

    def token(self) -> str:
        """A CSRF token of this browser's session."""
        for path in ("/login", "/settings"):
            found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.client.get(path).text)
            if found:
                return found[1]
        raise AssertionError("no form with a CSRF token was found")

    def sign_in(self, email: str, password: str = PASSWORD) -> "Visitor":
        self.post("/login", {"email": email, "password": password})
        return self


HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
FORBIDDEN_ATTRIBUTES = re.compile(r"^(style|on[a-z]+|hx-on.*)$")


def checked(response: TestResponse, *, whole: bool = True) -> Page:
    """Parse an answer and hold the rules of the house for every page."""
    if response.mimetype != "text/html" or not response.text.strip():
        return Page(response, html.fromstring("<p></p>"))
    document = (
        html.document_fromstring(response.text) if whole else html.fragment_fromstring(response.text, "div")
    )
    ids = [each.get("id") for each in document.iter() if isinstance(each.tag, str) and each.get("id")]
    assert len(ids) == len(set(ids)), f"ids twice: {sorted(x for x in ids if ids.count(x) > 1)}"
    for element in document.iter():
        for name in getattr(element, "attrib", {}):
            assert not FORBIDDEN_ATTRIBUTES.match(name), f"inline {name} in <{element.tag}>"
    for form in document.cssselect("form"):
        assert form.get("action"), "a form without action"
        if (form.get("method") or "get").lower() == "post":
            assert form.cssselect('input[name="csrf_token"]'), f"{form.get('action')}: no CSRF token"
    for element in document.cssselect("script, style"):
        assert element.tag == "script", "inline style"
        assert element.get("src"), "inline script"
    if whole:
        assert len(document.cssselect("h1")) == 1, f"{response.request.path}: one h1 per page"
        assert document.findtext(".//title"), "a title"
        assert document.cssselect("html[lang]"), "a language"
        assert document.cssselect("main"), "a main region"
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "X-Request-Id", "Referrer-Policy"):
        assert response.headers.get(name), f"no {name}"
    return Page(response, document)
