"""The database: the one session, units of work, and what happens at and after a commit."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar
from weakref import WeakSet

from flask import g, has_app_context
from flask.globals import _cv_app
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as BoundSession
from sqlalchemy import Connection, DateTime, Engine, MetaData, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from codyverse.core.holding import kept_of
from codyverse.core.notes import notes, notes_or_none
from codyverse.core.sqlstates import was_rolled_back
from codyverse.core.writer import Writer

log = logging.getLogger(__name__)

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What all tables share: named constraints, times with a zone, JSON as jsonb.

    Models inherit from this and not from `db.Model`, which type checkers cannot see; session and migrations find
    them through the shared metadata.
    """

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
        list[str]: JSONB,
    }


_REPLICA = "codyverse_reads_from"
_WROTE = "codyverse_wrote"


class RoutedSession(BoundSession):
    """Asks on the connection that the unit of work writes on; without one the replica that `read_from` named for this request,
    else the primary."""

    def get_bind(self, mapper: Any = None, clause: Any = None, bind: Any = None, **more: Any) -> Any:
        writer: Writer | None = self.info.get(_WRITER)
        if bind is None and writer is not None:
            writer.still_open().join()
            return writer.held.connection
        replica = g.get(_REPLICA) if bind is None and has_app_context() else None
        return replica or super().get_bind(mapper, clause, bind, **more)


db = SQLAlchemy(metadata=Base.metadata, session_options={"class_": RoutedSession})
session = db.session


def engine() -> Engine:
    """The primary's, of the current application: `db.engine` without the proxies on the way."""
    return db._app_engines[_cv_app.get().app][None]


def has_session() -> bool:
    """Whether this request or job has begun one."""
    return id(_cv_app.get()) in session.registry.registry


_AT = "codyverse_at_commit"
_AFTER = "codyverse_after_commit"
_DEPTH = "codyverse_unit_depth"
_CONNECTION = "codyverse_unit_connection"
_SENT = "codyverse_commit_was_sent"
_WRITER = "codyverse_unit_writer"


_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def stored_json(text: str) -> Any:
    """What PostgreSQL says of a json or jsonb: the same as `json.loads`, which looks for blanks around it and other encodings
    first."""
    return _scan(text, 0)[0]


@contextmanager
def unit_of_work() -> Iterator[None]:
    """One use case, one transaction: commit at the end, roll everything back on any error.

    Only a face opens it. Opening one inside another is a mistake and raises RuntimeError, for the inner commit
    would make half a use case permanent.
    """
    current = session()
    if current.info.get(_DEPTH):
        raise RuntimeError("a unit of work is open already")
    current.info[_DEPTH] = True
    _forget_plans(current)
    read_from(None)
    try:
        yield
        while planned := current.info.pop(_AT, None):
            for write, gathered in planned.items():
                write(gathered)
        _commit(current)
    except BaseException:
        undo()
        _forget_plans(current)
        raise
    finally:
        current.info.pop(_DEPTH, None)
        current.info.pop(_CONNECTION, None)
        _give_back(current)
    if has_app_context():
        setattr(g, _WROTE, True)
    _run_after_commit(current)


def current_connection() -> Connection:
    """The connection of the session's transaction, which begins with it; looked for once in a unit of work."""
    current = session()
    found: Connection | None = current.info.get(_CONNECTION)
    if found is None or found.closed:
        found = current.connection()
        if current.info.get(_DEPTH):
            current.info[_CONNECTION] = found
    return found


def current_writer() -> Writer | None:
    """What this unit of work writes with past the session, from its first statement on; None where the session has begun its
    transaction itself, outside of a unit, behind a PgBouncer that lends for a transaction, and when all are in use.

    A session that is used later joins in on the same connection (`RoutedSession.get_bind`), so that it is one transaction.
    """
    current = session()
    writer: Writer | None = current.info.get(_WRITER)
    if writer is not None:
        return writer.still_open()
    if not current.info.get(_DEPTH) or current.in_transaction():
        return None
    primary = engine()
    if not isinstance(primary, Engine) or is_limited_by_transaction(primary):
        return None
    held = kept_of(primary).take()
    if held is None:
        return None
    current.info[_WRITER] = writer = Writer(held, held.connection.begin())
    return writer


def _give_back(current: Session) -> None:
    """The unit of work is over, and its connection free for the next one. Beside one that broke, others have most likely too."""
    writer: Writer | None = current.info.pop(_WRITER, None)
    if writer is None:
        return
    broke, kept = writer.held.connection.invalidated, kept_of(engine())
    if writer.held.connection.in_transaction():
        kept.close(writer.held)
    else:
        kept.give(writer.held)
    if broke:
        kept.close_free()


def undo() -> None:
    """Roll back whatever is open; also if its connection turns out to be dead only now, for then nothing remains of it."""
    if not session.registry.has():
        return
    current = session()
    current.info.pop(_CONNECTION, None)
    try:
        current.rollback()
    except DBAPIError:
        current.rollback()  # the first one has thrown the connection away
    writer: Writer | None = current.info.get(_WRITER)
    if writer is not None:
        writer.undo()


def read_from(replica: Engine | None) -> None:
    """Ask this replica from now on in this request; None: the primary, to which every unit of work returns for good."""
    if has_app_context() and (replica is not None or _REPLICA in g):
        setattr(g, _REPLICA, replica)


def reads_from() -> Engine | None:
    """The replica that this request reads from; None: the primary."""
    found: Engine | None = (notes_or_none() or {}).get(_REPLICA)
    return found


def in_unit_of_work() -> bool:
    """Whether one is open."""
    return session.registry.has() and bool(session.info.get(_DEPTH))


def has_written() -> bool:
    """Whether a unit of work of this request was committed since this was asked last."""
    return bool(g.pop(_WROTE, False))


@contextmanager
def on_primary() -> Iterator[None]:
    """What is asked in this block is asked of the primary, also where the request reads from a replica.

    For who acts, and for what is kept in a cache: both must not be a moment behind.
    """
    before = reads_from()
    if before is None:
        yield
        return
    read_from(None)
    try:
        yield
    finally:
        read_from(before)


def _commit(current: Session) -> None:
    """Commit, and keep in mind that it was asked for: if the connection breaks meanwhile, nobody knows whether it was done."""
    before = current.info.get(_SENT, False)
    current.info[_SENT] = True
    writer: Writer | None = current.info.get(_WRITER)
    try:
        if writer is None or current.in_transaction():
            current.commit()
        if writer is not None:
            writer.commit()
            current.dispatch.after_commit(current)
    except DBAPIError as fault:
        if was_rolled_back(fault):
            current.info[_SENT] = before
        raise


def commit_was_sent() -> bool:
    """Whether a unit of work of this session may have been stored; until then all of it can be done anew."""
    return bool(session.info.get(_SENT))


def noted() -> dict[str, Any]:
    """What this application context knows already: a request's own memory, gone with it."""
    known: dict[str, Any] = notes().setdefault("codyverse_noted", {})
    return known


def _forget_plans(current: Session) -> None:
    current.info.pop(_AT, None)
    current.info.pop(_AFTER, None)


def at_commit(write: Callable[[list[Any]], None], what: object) -> None:
    """Gather `what`, and let `write` have all that was gathered for it, once, just before the commit.

    So many small facts cost one statement. It belongs to the unit of work: if `write` fails, everything is undone.
    """
    session.info.setdefault(_AT, {}).setdefault(write, []).append(what)


def after_commit(act: Callable[[], None]) -> None:
    """Run `act` once the current unit of work has been committed; never if it is rolled back.

    For mail, cache clearing and pushes. A failure of `act` is logged and undoes nothing: the work is safe by then.
    """
    session.info.setdefault(_AFTER, []).append(act)


@contextmanager
def savepoint() -> Iterator[None]:
    """A part of a unit of work that may fail while the rest is kept: on an error only this part is undone.

    What was put off until the commit or after it in this part is then forgotten too.
    """
    gathered = {write: list(whats) for write, whats in session.info.get(_AT, {}).items()}
    waiting = list(session.info.get(_AFTER, []))
    try:
        with session.begin_nested():
            session.connection()  # the savepoint is made now, also for what is written past the session
            yield
    except BaseException:
        session.info[_AT] = gathered
        session.info[_AFTER] = waiting
        raise


def _run_after_commit(current: Session) -> None:
    for act in current.info.pop(_AFTER, []):
        try:
            act()
        except Exception:
            log.exception("after commit: %r failed", act)


def count_statements(engine: Any, record: Callable[[str], None]) -> None:
    """Call `record` with each statement that `engine` sends. For query ceilings and the request log."""

    @event.listens_for(engine, "before_cursor_execute")
    def _seen(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        record(statement)


_LIMITED: "WeakSet[Engine]" = WeakSet()


def is_limited_by_transaction(engine: Engine) -> bool:
    """Whether a statement must stand in a transaction to be cut off when it takes too long."""
    return engine in _LIMITED


def limit_each_transaction(engine: Any, milliseconds: int) -> None:
    """Give each transaction the statement timeout, at its begin; one more round trip.

    For PgBouncer, which refuses it when connecting and lends each transaction another connection.
    """

    _LIMITED.add(engine)

    @event.listens_for(engine, "begin")
    def _limit(conn: Any) -> None:
        with conn.connection.cursor() as cursor:
            cursor.execute(f"set local statement_timeout = {int(milliseconds)}")
