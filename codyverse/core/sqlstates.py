"""What a failure of the database means for those who may try again. Pure: looks at the fault and nothing else."""

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

TIMED_OUT = ("57014", "55P03")
"""The statement was cancelled, or a lock was not to be had in time."""
ROLLED_BACK = ("40001", "40P01")
"""Serialization failure, deadlock: PostgreSQL has undone the transaction and says so."""
SHUT_DOWN = ("57P01", "57P02", "57P03")
"""It is being stopped, has crashed, or is starting."""
CONNECTION_CLASS = "08"


def code_of(fault: BaseException) -> str:
    """The SQLSTATE; '' where PostgreSQL gave none, as when nobody answers."""
    return getattr(getattr(fault, "orig", fault), "pgcode", None) or ""


def was_rolled_back(fault: BaseException) -> bool:
    """It is certain that nothing of the transaction remains, even if this came from the commit."""
    return code_of(fault) in ROLLED_BACK


def is_passing(fault: BaseException) -> bool:
    """The same work may well succeed in a moment: another transaction was in the way, or the connection broke.

    Not when the breaker refused (`retry_after`), for that is meant to be fast; nor when a statement took too long.
    """
    if not isinstance(fault, DBAPIError) or hasattr(fault.orig, "retry_after"):
        return False
    code = code_of(fault)
    if code:
        return code in ROLLED_BACK or code in SHUT_DOWN or code.startswith(CONNECTION_CLASS)
    return fault.connection_invalidated or (isinstance(fault, OperationalError) and fault.statement is None)


def is_away(fault: BaseException) -> bool:
    """The database does not answer, or has no connection to spare; what is asked is not at fault."""
    if isinstance(fault, PoolTimeout):
        return True
    if not isinstance(fault, DBAPIError):
        return False
    return isinstance(fault, OperationalError) or fault.connection_invalidated
