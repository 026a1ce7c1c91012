"""What happened to people."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserRegistered:
    """Somebody has a new account."""

    user_id: int
