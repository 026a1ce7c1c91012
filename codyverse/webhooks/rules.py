"""The rules of webhooks: what can be told, how it is written and signed, when it is tried again. Pure."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

KINDS = ("lesson.completed", "badge.earned", "level.reached", "course.completed")
SCOPES = ("own", "all")
MOST_PER_PERSON = 10
SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with
SECRET_BYTES = 32

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=3)
TRIED_FOR = timedelta(hours=24)
CLAIM_HOLDS = timedelta(minutes=5)
"""A worker that has not finished a delivery after so long was killed."""
KEEP = timedelta(days=30)
GONE = 410


def new_secret() -> str:
    """A secret as the Standard Webhooks write it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def new_key() -> str:
    """The public id of an event."""
    return f"evt_{secrets.token_hex(16)}"


def written(key: str, kind: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """The body of a delivery: the same bytes at every try."""
    when = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"id": key, "type": kind, "createdAt": when, "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def signed(secret: str, key: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers that prove where a delivery comes from and when it was sent.

    After the Standard Webhooks 1.0: HMAC-SHA256 over id, seconds since 1970 and body, joined by dots.
    """
    seconds = str(int(at.timestamp()))
    signing_key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    proof = hmac.new(signing_key, b".".join((key.encode(), seconds.encode(), body)), hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "User-Agent": "CodyVerse-Webhooks/1",
        "Webhook-Id": key,
        "Webhook-Timestamp": seconds,
        "Webhook-Signature": f"v1,{base64.b64encode(proof.digest()).decode()}",
    }


def next_try(at: datetime, tries: int, give_up_at: datetime, chance: float) -> datetime | None:
    """When a delivery that failed at its try number `tries` is tried again; None: no more.

    After 30 s, 1, 2, 4 … minutes, three hours at most, each a quarter shorter to a quarter longer as `chance` (0–1)
    will have it, so that what failed together is not tried together. The last try is a day after the first.
    """
    if at >= give_up_at:
        return None
    doubled: int = 2 ** min(tries - 1, 20)
    pause = min(FIRST_PAUSE * doubled, LONGEST_PAUSE)
    return min(at + pause * (0.75 + 0.5 * chance), give_up_at)
