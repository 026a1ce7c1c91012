"""Asking an OpenID Connect provider who somebody is: code flow with PKCE, state and nonce. Knows no Flask and no accounts."""

import json
from dataclasses import dataclass
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from codyverse.core.clock import now
from codyverse.core.errors import NotIdentified, Unavailable

SCOPE = "openid email profile"
SIGNATURES = ["RS256", "ES256", "PS256", "EdDSA"]
LEEWAY = 60
NO_ANSWER = "The sign-in provider does not answer. Try again in a moment, or sign in with your password."


@dataclass(frozen=True, slots=True)
class Asked:
    """Where to send the browser, and what to remember until it comes back."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who it is there; `email_verified`: the provider vouches for the address."""

    subject: str
    email: str
    email_verified: bool
    name: str


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider by its issuer; `timeout` in seconds for each request to it."""

    issuer: str
    client_id: str
    client_secret: str
    timeout: float = 5.0

    def _get(self, url: str) -> dict[str, Any]:
        try:
            answer = requests.get(url, timeout=self.timeout, allow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, ValueError) as fault:
            raise Unavailable(NO_ANSWER, 30) from fault
        if not isinstance(found, dict):
            raise Unavailable(NO_ANSWER, 30)
        return found

    def prove(self) -> None:
        """That it answers, and is who the settings say. Raises Unavailable, NotIdentified."""
        self._about()

    def _about(self) -> dict[str, Any]:
        """What the provider says about itself. Raises Unavailable, and NotIdentified if it is another one."""
        found = self._get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise NotIdentified("the provider names another issuer than the settings")
        return found

    def _client(self, redirect_uri: str) -> OAuth2Session:
        return OAuth2Session(
            self.client_id,
            self.client_secret,
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )

    def ask(self, redirect_uri: str) -> Asked:
        """Begin. Raises Unavailable, NotIdentified."""
        nonce, verifier = generate_token(32), generate_token(64)
        url, state = self._client(redirect_uri).create_authorization_url(
            self._about()["authorization_endpoint"], nonce=nonce, code_verifier=verifier
        )
        return Asked(url, state, nonce, verifier)

    def identify(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> Identity:
        """Who it is, by the code that the browser brought back. Raises Unavailable, NotIdentified."""
        about = self._about()
        try:
            with self._client(redirect_uri) as client:
                given = client.fetch_token(
                    about["token_endpoint"], code=code, code_verifier=verifier, timeout=self.timeout
                )
        except requests.RequestException as fault:
            raise Unavailable(NO_ANSWER, 30) from fault
        except (AuthlibBaseError, ValueError) as fault:
            raise NotIdentified("the provider refused the code") from fault
        return self._read(str(given.get("id_token", "")), self._get(about["jwks_uri"]), nonce)

    def _read(self, token: str, keys: dict[str, Any], nonce: str) -> Identity:
        """The claims of an ID token, if its signature and all that OpenID Connect Core 3.1.3.7 asks for are right."""
        rules = jwt.JWTClaimsRegistry(
            now=int(now().timestamp()),
            leeway=LEEWAY,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            read = jwt.decode(
                token, KeySet.import_key_set(json.loads(json.dumps(keys))), algorithms=SIGNATURES
            )
            rules.validate(read.claims)
        except (JoseError, ValueError, KeyError, TypeError) as fault:
            raise NotIdentified("the ID token is not to be believed") from fault
        claims = read.claims
        if claims.get("azp", self.client_id) != self.client_id:
            raise NotIdentified("the ID token is for another client")
        email, name = claims.get("email"), claims.get("name")
        return Identity(
            subject=str(claims["sub"]),
            email=email if isinstance(email, str) else "",
            email_verified=claims.get("email_verified") is True,
            name=name if isinstance(name, str) else "",
        )
