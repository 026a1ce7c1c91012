"""What happened to people."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class UserRegistered:
    """Somebody has a new account."""

    user_id: int


@dataclass(frozen=True, slots=True)
class LinkAsked:
    """A link is to be mailed to `address`; it works for `lasts`. `sealed` is its key, sealed for the post.

    `purpose` is one of `confirm`, `reset`, `change_from`, `change_to`; `details` fill the mail.
    """

    user_id: int
    address: str
    name: str
    purpose: str
    sealed: str
    at: datetime
    lasts: timedelta
    details: dict[str, str]


@dataclass(frozen=True, slots=True)
class AddressTaken:
    """Somebody asked for an account with an address that has one; only its owner is told."""

    user_id: int
    address: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SecurityChanged:
    """The ways in to an account have changed (`what`), which its owner is told in case it was somebody else.

    `details` are what the words about it name.
    """

    user_id: int
    address: str
    name: str
    what: str
    at: datetime
    details: dict[str, str] = field(default_factory=dict)
