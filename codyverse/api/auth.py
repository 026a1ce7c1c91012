"""Accounts and tokens over the API."""

from codyverse import mailing
from codyverse.accounts import mail_addresses, signing_in, tokens
from codyverse.accounts.tokens import TokenInfo
from codyverse.api.operation import Reply, operation
from codyverse.api.schemas.auth import RegisteredOut, RegisterIn, TokenIn, TokenInfoOut, TokenOut, TokensOut
from codyverse.core.errors import Invalid, NotAllowed
from codyverse.http import seals
from codyverse.http.access import bearer, principal, principal_or_none
from codyverse.http.limits import accounts_per_address, failures_per_account, failures_per_address

TAG = "Accounts"
STAYS = "Your account stays: the erasure that you had asked for is called off by this."


@operation(
    "POST",
    "/auth/register",
    "register",
    tag=TAG,
    summary="Make an account",
    policy="anyone",
    body=RegisterIn,
    returns=RegisteredOut,
    status=201,
    limits=(accounts_per_address,),
)
def register(body: RegisterIn) -> Reply:
    """The answer is the same whether the address was free or not, so that nobody learns who has an account.

    Sign in afterwards with POST /auth/tokens.
    """
    try:
        mail_addresses.register(body.email, body.password, body.name, body.time_zone, mailing.links())
    except Invalid as fault:
        raise Invalid(
            {{"display_name": "name"}.get(name, name): told for name, told in fault.fields.items()}
        ) from fault
    said = "If the address was free, the account is there."
    return Reply(RegisteredOut(next="Sign in with POST /auth/tokens."), said, location="/api/users/me")


@operation(
    "POST",
    "/auth/tokens",
    "createToken",
    tag=TAG,
    summary="Make a token",
    policy="anyone",
    body=TokenIn,
    returns=TokenOut,
    status=201,
    errors=("UNAUTHORIZED", "SECOND_FACTOR_REQUIRED", "FORBIDDEN", "CONFLICT"),
    secret=True,
    limits=(failures_per_address, failures_per_account),
    links={"revokeToken": {"tokenId": "$response.body#/data/id"}},
)
def create_token(body: TokenIn) -> Reply:
    """From e-mail address and password, or from the session of a browser; never from another token.

    Where a second factor is set, the answer is 401 `SECOND_FACTOR_REQUIRED` until `secondFactor` holds a code of the
    authenticator app, or a recovery code. A code works once.

    Without `scopes` the token may read only. `progress:report` and `admin` come from an operator. The token's text is
    in the answer this once; kept is only a hash.
    """
    if bearer() is not None:
        raise NotAllowed("A token cannot make tokens. Send the e-mail address and the password instead.")
    person_id, stays = _who_asks(body)
    role_is_operator = (
        (who := principal_or_none()) is not None and who.id == person_id and who.role == "operator"
    )
    text, made = tokens.issue_token(
        person_id, body.name, body.scopes, body.expires_at, by_operator=role_is_operator
    )
    location = f"/api/auth/tokens/{made.id}"
    return Reply(
        TokenOut.model_validate({**_told(made), "token": text}),
        "Keep the token: it is shown this once." + (f" {STAYS}" if stays else ""),
        location=location,
    )


def _who_asks(body: TokenIn) -> tuple[int, bool]:
    """The person's id, and whether an erasure that they had asked for is called off by this."""
    if body.email is None and body.password is None:
        return principal().id, False
    if body.email is None or body.password is None:
        missing = "email" if body.email is None else "password"
        raise Invalid({missing: ["Send both, email and password."]})
    seal = seals.second_factors()
    begun = signing_in.for_program(body.email, body.password, body.second_factor, seal)
    return begun.user_id, begun.stays


def _told(token: TokenInfo) -> dict[str, object]:
    return {name: getattr(token, name) for name in TokenInfoOut.model_fields} | {"scopes": list(token.scopes)}


@operation(
    "GET",
    "/auth/tokens",
    "listTokens",
    tag=TAG,
    summary="The tokens that still work",
    returns=TokensOut,
    errors=("FORBIDDEN",),
)
def list_tokens() -> Reply:
    """Only from the session of a browser: a token that leaked must not learn of others."""
    _only_with_a_session()
    found = tokens.tokens_of(principal().id)
    return Reply(TokensOut(items=[TokenInfoOut.model_validate(_told(each)) for each in found]))


@operation(
    "DELETE",
    "/auth/tokens/<id:token_id>",
    "revokeToken",
    tag=TAG,
    summary="Revoke a token",
    errors=("FORBIDDEN", "NOT_FOUND"),
)
def revoke_token(token_id: int) -> Reply:
    """It ends at once; again is harmless. A token may revoke itself, other ones only the session of a browser."""
    who = principal()
    if who.token_id != token_id:
        _only_with_a_session()
    tokens.revoke_token(who.id, token_id)
    return Reply()


def _only_with_a_session() -> None:
    if bearer() is not None:
        raise NotAllowed("Tokens are managed with a browser's session, not with a token.")
