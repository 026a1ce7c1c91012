"""Signing in by an OpenID provider: a real little one on loopback, honest or not."""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import RSAKey

from codyverse.accounts.queries import account_by_email, accounts
from codyverse.core.clock import now
from codyverse.notifications import queries as post
from tests.api.triggers import app_of
from tests.factories import PASSWORD, make_user
from tests.web.visits import Visitor

ADA = "ada@example.org"
KEY, OTHER_KEY = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
SITE = "http://127.0.0.1:8000"


@dataclass
class Provider:
    """Who is signed in there, what it says of them, and how it lies."""

    url: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "ada-1", "email": ADA, "email_verified": True, "name": "Ada"}
    )
    lies: dict[str, Any] = field(default_factory=dict)
    signs_with: Any = field(default_factory=lambda: KEY)
    silent: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def allow(self, address: str) -> str:
        """What a browser does there when its person agrees: the path on our site to which it comes back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["redirect_uri"] == f"{SITE}/login/provider/back"
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return f"/login/provider/back?code={code}&state={asked['state']}"

    def answer(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.lies.get("issuer", self.url),
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            }
        if path == "/keys":
            return 200, {"keys": [KEY.as_dict(private=False) | {"kid": "one", "use": "sig", "alg": "RS256"}]}
        asked = self.codes.pop(form.get("code", ""), None)
        client = base64.b64encode(b"cody:a secret of the tests").decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or authorization != f"Basic {client}" or challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.token(asked["nonce"])}

    def token(self, nonce: str) -> str:
        at = int(now().timestamp())
        claims = {"iss": self.url, "aud": "cody", "iat": at, "exp": at + 300, "nonce": nonce} | self.person
        header = {"alg": self.lies.get("alg", "RS256"), "kid": "one"}
        told = {name: value for name, value in self.lies.items() if name not in {"alg", "issuer"}}
        return jwt.encode(header, claims | told, self.signs_with, algorithms=["RS256", "HS256"])


@pytest.fixture
def provider(app: Flask) -> Iterator[Provider]:
    kept = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._do({})

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._do({name: values[0] for name, values in parse_qs(sent).items()})

        def _do(self, form: dict[str, str]) -> None:
            if kept.silent:
                self.send_error(503)
                return
            status, told = kept.answer(self.path, form, self.headers.get("Authorization", ""))
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    kept.url = f"http://127.0.0.1:{server.server_port}"
    before = app.extensions["settings"]
    told = {
        "oidc_issuer": kept.url,
        "oidc_client_id": "cody",
        "oidc_client_secret": "a secret of the tests",
        "oidc_name": "My School",
    }
    app.extensions["settings"] = before.model_copy(update=told | {"base_url": SITE})
    yield kept
    app.extensions["settings"] = before
    server.shutdown()
    server.server_close()


def away(visitor: Visitor, path: str = "/login/provider") -> str:
    answer = visitor.client.get(path)
    assert answer.status_code == 303
    return answer.location


def come(visitor: Visitor, provider: Provider) -> str:
    """There and back; where the site sends the browser then."""
    return str(visitor.client.get(provider.allow(away(visitor))).location)


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/dashboard").response.request.path == "/dashboard"


def test_somebody_new_gets_an_account_and_keeps_it(app: Flask, provider: Provider) -> None:
    visitor = Visitor(app)
    [link] = [a for a in visitor.get("/login?next=/courses").css("a") if "My School" in a.text_content()]
    back = provider.allow(away(visitor, link.get("href")))
    assert visitor.client.get(back).location == "/courses"
    assert is_in(visitor)
    assert account_by_email(ADA).display_name == "Ada"
    provider.person |= {"email": "ada@new.example", "email_verified": False, "name": "Someone"}
    again = Visitor(app)
    assert come(again, provider) == "/dashboard", "known by the subject, whatever else has changed"
    assert len(accounts()) == 1


def test_who_has_an_account_is_known_by_the_confirmed_address(app: Flask, provider: Provider) -> None:
    make_user(email=ADA, name="Ada at home")
    visitor = Visitor(app)
    assert come(visitor, provider) == "/dashboard"
    assert [each.display_name for each in accounts()] == ["Ada at home"]
    assert "sign-in provider was connected" in post.kept_mails()[0].context["words"]
    Visitor(app).sign_in(ADA, PASSWORD)


def test_an_address_that_nobody_vouches_for_opens_nothing(app: Flask, provider: Provider) -> None:
    make_user(email=ADA)
    provider.person["email_verified"] = False
    visitor = Visitor(app)
    assert come(visitor, provider) == "/login"
    assert "does not vouch" in visitor.get("/login").text
    assert not is_in(visitor)
    provider.person |= {"email_verified": "true"}
    assert come(visitor, provider) == "/login"
    squatter = {"display_name": "Eve", "email": "grace@example.org", "password": PASSWORD, "time_zone": "UTC"}
    Visitor(app).post("/register", squatter)
    provider.person |= {"sub": "grace-1", "email": "grace@example.org", "email_verified": True}
    assert come(visitor, provider) == "/login"
    assert "nobody has confirmed the address" in visitor.get("/login").text


def test_a_second_factor_of_here_is_asked_for_here(app: Flask, provider: Provider) -> None:
    code = app_of(make_user(email=ADA, password="a long pass phrase"))
    visitor = Visitor(app)
    assert come(visitor, provider) == "/login/second"
    assert not is_in(visitor)
    visitor.post("/login/second", {"code": code})
    assert is_in(visitor)


def test_a_closed_account_stays_closed(app: Flask, provider: Provider) -> None:
    make_user(email=ADA)
    app.test_cli_runner().invoke(args=["users", "deactivate", ADA, "--yes"])
    visitor = Visitor(app)
    assert come(visitor, provider) == "/login"
    assert "closed" in visitor.get("/login").text


def test_a_way_back_is_good_once_and_for_the_browser_that_asked(app: Flask, provider: Provider) -> None:
    mine, hers = Visitor(app), Visitor(app)
    back = provider.allow(away(mine))
    away(hers)
    assert hers.client.get(back).location == "/login"
    assert not is_in(hers)
    assert mine.client.get(back).location == "/dashboard"
    mine.post("/logout")
    assert mine.client.get(back).location == "/login"
    for odd in ("", "?code=x", "?state=x&code=x", "?error=access_denied", "?state=%C3%A9&code=x"):
        visitor = Visitor(app)
        away(visitor)
        assert visitor.client.get(f"/login/provider/back{odd}").location == "/login"
        assert not is_in(visitor)


@pytest.mark.parametrize(
    "lies",
    [
        {"iss": "https://evil.example"},
        {"aud": "another site"},
        {"nonce": "another"},
        {"exp": 1},
        {"sub": None},
        {"azp": "another site"},
        {"issuer": "https://evil.example"},
    ],
    ids=lambda lies: next(iter(lies)),
)
def test_what_is_not_to_be_believed(app: Flask, provider: Provider, lies: dict[str, Any]) -> None:
    visitor = Visitor(app)
    if "issuer" not in lies:
        address = away(visitor)
        provider.lies = lies
        assert visitor.client.get(provider.allow(address)).location == "/login"
    else:
        provider.lies = lies
        assert away(visitor) == "/login"
    assert "did not work" in visitor.get("/login").text
    assert not is_in(visitor)
    assert accounts() == ()


def test_signatures_of_others_and_none(app: Flask, provider: Provider) -> None:
    visitor = Visitor(app)
    provider.signs_with = OTHER_KEY
    assert come(visitor, provider) == "/login"
    nobody = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    honest = provider.token
    provider.token = lambda nonce: f"{nobody}.{honest(nonce).split('.')[1]}."  # type: ignore[method-assign]
    assert come(visitor, provider) == "/login"
    assert accounts() == ()


def test_a_provider_that_is_silent_is_told_and_the_password_still_works(
    app: Flask, provider: Provider
) -> None:
    make_user(email=ADA)
    provider.silent = True
    visitor = Visitor(app)
    answer = visitor.client.get("/login/provider")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "sign in with your password" in answer.text
    assert is_in(visitor.sign_in(ADA))


def test_without_a_provider_there_is_no_button(visitor: Visitor) -> None:
    assert "Sign in with" not in visitor.get("/login").text
    assert visitor.client.get("/login/provider").status_code == 404
    assert visitor.client.get("/login/provider/back").status_code in (303, 404)
