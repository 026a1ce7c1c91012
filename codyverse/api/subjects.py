"""Whose a resource is."""

import re

from codyverse.accounts.queries import must_exist
from codyverse.core.errors import DomainError, NotAllowed
from codyverse.http.access import principal


def subject(text: str) -> int:
    """Whose resource `{userId}` names: the learner's own, or for operators anybody's (who must exist then).

    Raises Invalid INVALID_USER_ID for what is no positive 64-bit integer, NotAllowed for a learner with another id.
    """
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text) or int(text) >= 2**63:
        raise InvalidUserId("A user id is a positive whole number of 64 bits.")
    who, wanted = principal(), int(text)
    if who.id == wanted:
        return wanted
    if who.role != "operator":
        raise NotAllowed("This belongs to somebody else.")
    must_exist(wanted)
    return wanted


class InvalidUserId(DomainError):
    """`{userId}` is no id."""

    code = "INVALID_USER_ID"
