"""Personal access tokens: what a program may do for a person. Only a hash of a token is kept.

A token reads ``cody_``, 30 random signs and 6 of a checksum, so that a scanner recognises one that leaked and a typing
error is told without asking the database.
"""

import hashlib
import secrets
import string
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Row, func, insert, or_, select, update

from codyverse.accounts import riders
from codyverse.accounts.models import ApiToken, User
from codyverse.accounts.names import can_be_shown, on_one_line
from codyverse.accounts.queries import PERSON, Principal, person
from codyverse.core.asking import look
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.errors import Conflict, Invalid, NotFound

PREFIX = "cody_"
SIGNS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SIGNS = frozenset(SIGNS)
RANDOM_SIGNS, CHECK_SIGNS = 30, 6
MOST_NAME, MOST_TOKENS = 80, 50
USE_NOTED_EVERY = timedelta(minutes=5)
"""`last_used_at` is kept about as exactly as this, so that reading does not write each time."""

SCOPES: dict[str, str] = {
    "profile:read": "Read your profile and settings, export your data",
    "profile:write": "Change your profile and settings, erase your account",
    "courses:read": "Read courses and lessons",
    "courses:write": "Make and change courses (authors)",
    "progress:read": "Read your progress",
    "progress:write": "Do lessons: begin, answer, finish",
    "progress:report": "Report lessons as finished elsewhere (only an operator grants it)",
    "game:read": "Read levels, badges, goals, the ledger, the leaderboard, the shop",
    "game:write": "Choose goals, buy in the shop, join leagues",
    "notifications": "Read and manage notifications",
    "webhooks": "Manage webhooks",
    "admin": "Read and manage people (operators)",
}
READS = frozenset({"profile:read", "courses:read", "progress:read", "game:read"})
GRANTED_BY_OPERATORS = frozenset({"progress:report", "admin"})
OF_ROLE = {"courses:write": ("author", "operator"), "admin": ("operator",)}


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token as its owner sees it; `hint` is its end."""

    id: int
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


def _checksum(text: str) -> str:
    number, signs = zlib.crc32(text.encode()), ""
    for _ in range(CHECK_SIGNS):
        number, rest = divmod(number, len(SIGNS))
        signs = SIGNS[rest] + signs
    return signs


def make_secret() -> str:
    """A new token's text."""
    random = "".join(secrets.choice(SIGNS) for _ in range(RANDOM_SIGNS))
    return f"{PREFIX}{random}{_checksum(PREFIX + random)}"


def is_well_formed(text: str) -> bool:
    """Whether this could be a token: prefix, length, signs and checksum are right."""
    body = text.removeprefix(PREFIX)
    if not text.startswith(PREFIX) or len(body) != RANDOM_SIGNS + CHECK_SIGNS or not _SIGNS.issuperset(body):
        return False
    return text[-CHECK_SIGNS:] == _checksum(text[:-CHECK_SIGNS])


def hashed(text: str) -> bytes:
    """What is kept: SHA-256 is enough for 178 random bits."""
    return hashlib.sha256(text.encode()).digest()


@cache
def allowed_scopes(role: str, *, by_operator: bool = False) -> frozenset[str]:
    """What a token of somebody with this role may hold; `progress:report` and `admin` only if an operator grants them."""
    fitting = {scope for scope in SCOPES if role in OF_ROLE.get(scope, (role,))}
    return frozenset(fitting if by_operator else fitting - GRANTED_BY_OPERATORS)


def issue_token(
    user_id: int,
    name: str,
    scopes: Collection[str] | None = None,
    expires_at: datetime | None = None,
    *,
    by_operator: bool = False,
) -> tuple[str, TokenInfo]:
    """Make a token; its text, shown this once, and what is kept of it. Scopes default to reading.

    Each call makes another one. Raises NotFound, Conflict with more than 50 live ones, Invalid for a bad name, an
    unknown scope, one that the owner's role or the granter does not cover, or an expiry that has passed.
    """
    at = now()
    role = session.execute(
        select(User.role)
        .where(User.id == user_id, User.deactivated_at.is_(None))
        .with_for_update(key_share=True)
    ).scalar()
    if role is None:
        raise NotFound("There is no such person.", "USER_NOT_FOUND")
    name = on_one_line(name)
    wanted = READS if scopes is None else frozenset(scopes)
    _must_be_fit(name, wanted, allowed_scopes(role, by_operator=by_operator), expires_at, at)
    _must_have_room(user_id, at)
    text = make_secret()
    row = session.execute(
        insert(ApiToken)
        .values(
            user_id=user_id,
            name=name,
            token_hash=hashed(text),
            hint=text[-4:],
            scopes=sorted(wanted),
            created_at=at,
            expires_at=expires_at,
        )
        .returning(*_INFO)
    ).one()
    return text, _info(row)


def _must_have_room(user_id: int, at: datetime) -> None:
    count = select(func.count()).select_from(ApiToken).where(ApiToken.user_id == user_id, *_live(at))
    if session.execute(count).scalar_one() >= MOST_TOKENS:
        raise Conflict(f"There are {MOST_TOKENS} tokens already, which is the most. Revoke one first.")


def _must_be_fit(
    name: str, wanted: frozenset[str], allowed: frozenset[str], expires_at: datetime | None, at: datetime
) -> None:
    fields: dict[str, list[str]] = {}
    if not 1 <= len(name) <= MOST_NAME or not can_be_shown(name):
        fields["name"] = [f"Write a name of 1 to {MOST_NAME} characters that tells what the token is for."]
    if unknown := sorted(wanted - SCOPES.keys()):
        fields["scopes"] = [f"There is no scope {', '.join(unknown)}. Choose from {', '.join(SCOPES)}."]
    elif not wanted:
        fields["scopes"] = ["Choose at least one scope."]
    elif beyond := sorted(wanted - allowed):
        fields["scopes"] = [f"Your account cannot give a token {', '.join(beyond)}; an operator can."]
    if expires_at is not None and expires_at <= at:
        fields["expires_at"] = ["Choose a time that is still to come."]
    if fields:
        raise Invalid(fields)


_INFO = (
    ApiToken.id,
    ApiToken.name,
    ApiToken.hint,
    ApiToken.scopes,
    ApiToken.created_at,
    ApiToken.expires_at,
    ApiToken.last_used_at,
)


def _live(at: datetime) -> tuple[Any, ...]:
    return (ApiToken.revoked_at.is_(None), or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > at))


def _info(row: Row[*tuple[Any, ...]]) -> TokenInfo:
    number, name, hint, scopes, *times = row
    return TokenInfo(number, name, hint, tuple(scopes), *times)


def tokens_of(user_id: int) -> tuple[TokenInfo, ...]:
    """The person's tokens that still work, newest first. One statement."""
    query = select(*_INFO).where(ApiToken.user_id == user_id, *_live(now())).order_by(ApiToken.id.desc())
    return tuple(_info(row) for row in session.execute(query))


def revoke_token(user_id: int, token_id: int) -> None:
    """End one of the person's own tokens at once. Again is harmless. Raises NotFound."""
    known = session.execute(
        update(ApiToken)
        .where(ApiToken.id == token_id, ApiToken.user_id == user_id)
        .values(revoked_at=func.coalesce(ApiToken.revoked_at, now()))
        .returning(ApiToken.id)
    ).one_or_none()
    if known is None:
        raise NotFound("There is no such token.")


def revoke_all(user_id: int) -> int:
    """End every token of the person; how many still worked. Again is harmless."""
    at = now()
    ended = update(ApiToken).where(ApiToken.user_id == user_id, *_live(at)).values(revoked_at=at)
    return len(session.execute(ended.returning(ApiToken.id)).all())


_OWNER = "owner_by_token(:token_hash, :at, :noted_by)"
"""Whoever has a live token with this hash: what makes a principal, the token's id and scopes, whether its use is to be noted;
and what riders may name."""


def principal_for_bearer(
    text: str, wanted: Iterable[str] = (), path: Mapping[str, Any] | None = None
) -> tuple[Principal, bool] | None:
    """Who acts with this token, and whether its use is to be noted; None for one that does not work. One statement,
    which also brings the riders that are wanted, with what they need of the path.

    Its scopes are never more than the owner's present role covers.
    """
    if not is_well_formed(text):
        return None
    at = now()
    names = riders.riding(wanted)
    values = {"token_hash": hashed(text), "at": at, "noted_by": at - USE_NOTED_EVERY}
    row = look(riders.statement(_OWNER, names), values | riders.given(names, path or {}))
    if row is None:
        return None
    told, *brought = row
    riders.arrive(names, brought)
    token_id, scopes, to_be_noted = told[len(PERSON) :]
    covered = _covered(frozenset(scopes), told[1])
    return person(told, session_id=0, token_id=token_id, scopes=covered), to_be_noted


def _covered(scopes: frozenset[str], role: str) -> frozenset[str]:
    return scopes & allowed_scopes(role, by_operator=True)


def note_use(token_id: int) -> None:
    """Keep that a token was used now, unless that was kept a moment ago."""
    at = now()
    stale = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at < at - USE_NOTED_EVERY)
    session.execute(update(ApiToken).where(ApiToken.id == token_id, stale).values(last_used_at=at))
