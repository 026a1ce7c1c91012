"""Accounts and tokens as JSON."""

from typing import Annotated, Literal

from pydantic import Field

from codyverse.api.schemas.common import GivenMoment, Id, In, Moment, Out, line

Scope = Literal[
    "profile:read",
    "profile:write",
    "courses:read",
    "courses:write",
    "progress:read",
    "progress:write",
    "progress:report",
    "game:read",
    "game:write",
    "notifications",
    "webhooks",
    "admin",
]
Scopes = Annotated[
    list[Scope], Field(min_length=1, max_length=20, examples=[["progress:read", "progress:write"]])
]


class RegisterIn(In):
    """Who wants an account."""

    email: str = line(254, least=3, examples=["ada@example.org"], json_schema_extra={"format": "email"})
    password: str = line(
        256, least=1, examples=["a long pass phrase"], json_schema_extra={"format": "password"}
    )
    name: str = line(60, examples=["Ada"])
    time_zone: str = line(64, examples=["Europe/Berlin"], default="UTC")


class RegisteredOut(Out):
    """What follows now. The answer is the same whether the address was free or not."""

    next: Annotated[str, Field(examples=["Sign in with POST /auth/tokens."])]


class TokenIn(In):
    """Sign in with address and password and name the token. With a session, both may be left out.

    `secondFactor`: a code of the authenticator app, or a recovery code, where the account asks for one.
    """

    email: str | None = line(254, least=1, examples=["ada@example.org"], default=None)
    password: str | None = line(
        256, least=1, examples=["a long pass phrase"], json_schema_extra={"format": "password"}, default=None
    )
    second_factor: str | None = line(40, examples=["123456"], default=None)
    name: str = line(80, examples=["My phone"])
    scopes: Scopes | None = None
    expires_at: GivenMoment | None = None


class TokenInfoOut(Out):
    """A token as its owner sees it; `hint` is its end."""

    id: Id
    name: str
    hint: str
    scopes: list[Scope]
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None


class TokenOut(TokenInfoOut):
    """A new token. `token` is shown this once."""

    token: Annotated[str, Field(examples=["cody_…"])]


class TokensOut(Out):
    """The tokens that still work, newest first."""

    items: list[TokenInfoOut]
