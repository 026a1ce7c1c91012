"""A fixed cast and small courses, made through the real services. Functions with keyword defaults."""

import itertools

from codyverse.accounts import services as accounts
from codyverse.core.database import unit_of_work

PASSWORD = "wren-lantern-tide-42"
_numbers = itertools.count(1)


def make_user(
    *,
    email: str | None = None,
    name: str = "Ada",
    role: str = "learner",
    time_zone: str = "UTC",
    password: str = PASSWORD,
) -> int:
    """An account, committed; its id."""
    address = email or f"person{next(_numbers)}@example.org"
    with unit_of_work():
        made = accounts.create_account(address, password, name, role=role, time_zone=time_zone)
    assert made is not None, f"{address} is taken"
    return made
