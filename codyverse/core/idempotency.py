"""What was answered under an Idempotency-Key, kept with the effect in one transaction: both are there, or neither.

Follows the IETF draft "The Idempotency-Key HTTP Header Field". The one who comes first holds a lock of the database
until it commits; others with the same key wait for it and then find the answer. A process that dies releases the lock
and leaves nothing, so that the request may be sent again. Of a key only a hash is kept.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Index, LargeBinary, SmallInteger, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core.clock import now
from codyverse.core.database import Base, session
from codyverse.core.errors import Conflict

KEPT = timedelta(hours=24)
LOCK_NOT_AVAILABLE = "55P03"
_NONCE_BYTES = 12
_LIMITS = text("""
    with before as materialized
        (select current_setting('lock_timeout') as wait, current_setting('statement_timeout') as statement)
    select wait, statement,
        set_config('lock_timeout', :wait, true), set_config('statement_timeout', :statement, true) from before
""")
"""Sets both for this transaction and says what they were: behind PgBouncer the default is not what the transaction began with."""
_LOCK = text("select pg_advisory_xact_lock(:lock)")


class IdempotencyRecord(Base):
    """One answer under one key. `scope_hash` covers principal, route and key; a secret `body` is encrypted."""

    __tablename__ = "idempotency_records"
    __table_args__ = (Index("ix_idempotency_records_created_at", "created_at"),)

    scope_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    encrypted: Mapped[bool]
    created_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was sent."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Once:
    """One request that must have one effect: who sends it where, its key, and the `digest` of what it asks."""

    scope_hash: bytes
    digest: bytes
    cipher_key: bytes

    @classmethod
    def of(cls, principal: str, route: str, key: str, request: bytes, secret: str) -> "Once":
        """`request` is all that the key stands for; `secret` is the site's, so that no dump lets keys be guessed."""
        scope = hashlib.sha256(f"{principal}\n{route}\n{key}".encode()).digest()
        made = HKDF(SHA256(), 64, salt=secret.encode(), info=b"idempotency" + scope).derive(key.encode())
        return cls(scope, hmac.digest(made[:32], request, "sha256"), made[32:])

    def begin(self, wait_seconds: int) -> Kept | None:
        """Be the only one; what was answered earlier, if this was. Inside the unit of work that holds the effect.

        Waits so long for another that is under way, then raises Conflict IDEMPOTENCY_IN_PROGRESS. Raises Conflict
        IDEMPOTENCY_KEY_REUSED when the key stood for another request.
        """
        self._wait(wait_seconds)
        row = session.execute(
            select(
                IdempotencyRecord.digest,
                IdempotencyRecord.status,
                IdempotencyRecord.headers,
                IdempotencyRecord.body,
                IdempotencyRecord.encrypted,
            ).where(
                IdempotencyRecord.scope_hash == self.scope_hash, IdempotencyRecord.created_at > now() - KEPT
            )
        ).one_or_none()
        if row is None:
            return None
        if not hmac.compare_digest(row.digest, self.digest):
            raise Conflict(
                "This Idempotency-Key was used for another request. Take a new key for a new request.",
                "IDEMPOTENCY_KEY_REUSED",
            )
        return Kept(row.status, row.headers, self._opened(row.body) if row.encrypted else row.body)

    def _wait(self, seconds: int) -> None:
        lock = int.from_bytes(self.scope_hash[:8], "big", signed=True)
        limits = {"wait": f"{seconds}s", "statement": f"{seconds + 5}s"}
        before = session.execute(_LIMITS, limits).one()
        try:
            session.execute(_LOCK, {"lock": lock})
        except OperationalError as fault:
            if getattr(fault.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
                raise
            raise Conflict(
                "The same request is still being worked on. Ask again in a moment with the same key.",
                "IDEMPOTENCY_IN_PROGRESS",
            ) from fault
        session.execute(_LIMITS, {"wait": before.wait, "statement": before.statement})

    def keep(self, answer: Kept, *, secret: bool) -> None:
        """Keep the answer for 24 hours, encrypted if it carries a `secret`."""
        values = {
            "digest": self.digest,
            "status": answer.status,
            "headers": answer.headers,
            "body": self._closed(answer.body) if secret else answer.body,
            "encrypted": secret,
            "created_at": now(),
        }
        session.execute(
            insert(IdempotencyRecord)
            .values(scope_hash=self.scope_hash, **values)
            .on_conflict_do_update(index_elements=["scope_hash"], set_=values)
        )

    def _closed(self, body: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self.cipher_key).encrypt(nonce, body, self.scope_hash)

    def _opened(self, body: bytes) -> bytes:
        return AESGCM(self.cipher_key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], self.scope_hash)


def forget_old(at: datetime) -> int:
    """Delete the answers that are kept no longer; how many. Again is harmless."""
    gone = delete(IdempotencyRecord).where(IdempotencyRecord.created_at <= at - KEPT)
    return len(session.execute(gone.returning(IdempotencyRecord.scope_hash)).all())
