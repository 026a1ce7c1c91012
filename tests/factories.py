"""A fixed cast and small courses, made through the real services. Functions with keyword defaults."""

import itertools

from sqlalchemy import select

from codyverse.accounts import services as accounts
from codyverse.accounts.models import User
from codyverse.accounts.queries import PERSON, Principal, person
from codyverse.core.database import session, unit_of_work

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


def principal_of(user_id: int) -> Principal:
    """Somebody as a request knows who acts."""
    return person(session.execute(select(*PERSON).where(User.id == user_id)).one(), session_id=0)
