"""Tables of people: users, the facts about their zones, their sessions."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core.database import Base
from codyverse.core.personal import Personal, register

ROLES = ("learner", "author", "operator")


class User(Base):
    """A person with an account. `email_key` is the address as compared: unique without case.

    `last_game_date` is the latest one that a fact was stamped with, `owed_until` when it has had its hours.
    `studied_until` is the moment up to which study time was counted: one clock, however many lessons are open.
    """

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role in ('learner', 'author', 'operator')", name="role"),
        CheckConstraint("day_start_hour between 0 and 23", name="day_start_hour"),
        CheckConstraint("char_length(display_name) between 1 and 60", name="display_name"),
        Index("uq_users_email_key", "email_key", unique=True),
        Index("ix_users_role_id", "role", "id"),
        Index("ix_users_erase_after", "erase_after", postgresql_where=text("erase_after is not null")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    email_key: Mapped[str] = mapped_column(Text)
    display_name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text, server_default="learner")
    time_zone: Mapped[str] = mapped_column(Text, server_default="UTC")
    day_start_hour: Mapped[int] = mapped_column(SmallInteger, server_default="4")
    locale: Mapped[str] = mapped_column(Text, server_default="en")
    preferences: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    last_game_date: Mapped[date | None]
    owed_until: Mapped[datetime | None]
    studied_until: Mapped[datetime | None]
    email_verified_at: Mapped[datetime | None]
    password_changed_at: Mapped[datetime | None]
    deactivated_at: Mapped[datetime | None]
    erase_after: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AccountCount(Base):
    """How many accounts of a role there are: kept by triggers on `users`, so that nobody has to count them."""

    __tablename__ = "account_counts"
    __table_args__ = (CheckConstraint("people >= 0", name="people"),)

    role: Mapped[str] = mapped_column(Text, primary_key=True)
    people: Mapped[int] = mapped_column(BigInteger)


class ZoneFact(Base):
    """From `since` on this learner's days were reckoned in this zone with this start of day."""

    __tablename__ = "zone_facts"
    __table_args__ = (PrimaryKeyConstraint("user_id", "since"),)

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    since: Mapped[datetime]
    time_zone: Mapped[str] = mapped_column(Text)
    day_start_hour: Mapped[int] = mapped_column(SmallInteger)


class UserSession(Base):
    """A signed-in browser. Only a hash of its token is kept; `ended_at` ends it everywhere at once."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("uq_sessions_token_hash", "token_hash", unique=True),
        Index("ix_sessions_user_id", "user_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    agent: Mapped[str] = mapped_column(Text, server_default="")
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ApiToken(Base):
    """A program's way in for a person. Only a hash is kept, and the last signs, by which its owner knows it."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        CheckConstraint("char_length(name) between 1 and 80", name="name"),
        Index("uq_api_tokens_token_hash", "token_hash", unique=True),
        Index("ix_api_tokens_user_id", "user_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hint: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class PublicProfile(Base):
    """The page that a person may show to everybody, at an address of their own. `shown` names what stands on it.

    While it is not public, the address is kept for them, and says to others what an unknown one says.
    """

    __tablename__ = "public_profiles"
    __table_args__ = (
        CheckConstraint("handle ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="handle"),
        CheckConstraint("char_length(handle) between 3 and 30", name="handle_length"),
        Index("uq_public_profiles_handle", "handle", unique=True),
    )

    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    handle: Mapped[str] = mapped_column(Text)
    public: Mapped[bool] = mapped_column(server_default=text("false"))
    shown: Mapped[list[str]] = mapped_column(server_default=text("'[]'::jsonb"))


class SecondFactor(Base):
    """The authenticator app of a person. Its secret is sealed; until it is confirmed nobody is asked for it.

    `last_step` is the half minute of the last code that was taken: it and those before it are not taken again.
    """

    __tablename__ = "second_factors"

    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    sealed_secret: Mapped[str] = mapped_column(Text)
    last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A way in for who has lost the second factor, good once. Only a hash is kept, with the person's id in it."""

    __tablename__ = "recovery_codes"
    __table_args__ = (
        Index("uq_recovery_codes_code_hash", "code_hash", unique=True),
        Index("ix_recovery_codes_user_id", "user_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Passkey(Base):
    """A passkey: its public key, and how often it says it has signed (0: it does not count)."""

    __tablename__ = "passkeys"
    __table_args__ = (
        CheckConstraint("char_length(name) between 1 and 60", name="name"),
        Index("uq_passkeys_credential_id", "credential_id", unique=True),
        Index("ix_passkeys_user_id", "user_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger, server_default="0")
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class OneTimeKey(Base):
    """What opens one thing once, for a while: a half of a sign-in, a link in a mail. Only a hash of it is kept."""

    __tablename__ = "one_time_keys"
    __table_args__ = (
        Index("uq_one_time_keys_key_hash", "key_hash", unique=True),
        Index("ix_one_time_keys_user_id", "user_id"),
        Index("ix_one_time_keys_expires_at", "expires_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(Text)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary)
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ProviderIdentity(Base):
    """Who somebody is at a sign-in provider: its `subject` stays the same when names and addresses change."""

    __tablename__ = "provider_identities"
    __table_args__ = (
        PrimaryKeyConstraint("issuer", "subject"),
        Index("ix_provider_identities_user_id", "user_id"),
    )

    issuer: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    connected_at: Mapped[datetime]


class Erasure(Base):
    """That somebody was erased, told by a hash of their id and the moment they registered, and nothing else.

    A backup from before that brings them back; this list says who has to go again.
    """

    __tablename__ = "erasures"

    person_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    erased_at: Mapped[datetime]


register(
    Personal("users", owner="id", leave_out=("email_key", "password_hash")),
    Personal("zone_facts", gone="deleted"),
    Personal("sessions", leave_out=("token_hash",), gone="deleted", stays=True),
    Personal("api_tokens", leave_out=("token_hash",), gone="deleted", stays=True),
    Personal("public_profiles", gone="deleted"),
    Personal("second_factors", leave_out=("sealed_secret",), gone="deleted", stays=True),
    Personal("recovery_codes", leave_out=("code_hash",), gone="deleted", stays=True),
    Personal("passkeys", leave_out=("credential_id", "public_key", "sign_count"), gone="deleted", stays=True),
    Personal("provider_identities", gone="deleted", stays=True),
    Personal("one_time_keys", leave_out=("key_hash",), gone="deleted", stays=True),
)
