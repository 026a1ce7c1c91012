"""Locks in the database that hold over several transactions: one holder at a time, in however many processes."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from codyverse.core.database import db

_TRY = text("select pg_try_advisory_xact_lock(:key)")


def lock_key(name: str) -> int:
    """The number by which PostgreSQL knows the lock of this name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextmanager
def only_one(name: str) -> Iterator[bool]:
    """Hold the lock of this name while the block runs; False, at once, if somebody else holds it.

    The lock belongs to a transaction on a connection of its own, so that it is given back however the holder ends,
    kill -9 included, and also holds behind PgBouncer in transaction pooling. The block's own work uses the session.
    """
    with db.engine.engine.connect() as connection, connection.begin():
        yield bool(connection.execute(_TRY, {"key": lock_key(name)}).scalar_one())
