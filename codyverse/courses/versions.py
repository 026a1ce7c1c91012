"""The version of all that is taught, and what is kept of courses while it stands.

`content_state.version` is a random name that triggers replace in the transaction of each write to courses, modules,
lessons or steps, whoever writes. So what was kept under the version that the database names now is right in however many
processes, and also after a backup was restored. Strangers share a look at it for a twentieth of a second. Nothing has to be cleared: what is old is not asked for again.
"""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import event, text
from sqlalchemy.orm import Session

from codyverse.core.asking import Lately, look
from codyverse.core.cache import Lifetime, kept, last_kept
from codyverse.core.database import has_session, noted, session
from codyverse.core.resilience import unless_away

COLUMN = "users.content"
"""The version, as the functions tell it that find out who acts; `remember` takes it."""
_RENEW = text("update content_state set version = gen_random_uuid()")
_VERSION = Lately(text("select content_version()"), seconds=0.05)
_KNOWN, _WRITTEN = "codyverse_content_version", "codyverse_content_written"
Value = TypeVar("Value")


def look_again() -> None:
    """Let the next stranger of this process ask for the version anew. Again is harmless."""
    _VERSION.forget()


@event.listens_for(Session, "after_commit")
def _written(_session: Session) -> None:
    """Whatever this process has written may have been of courses."""
    look_again()


def content_version() -> str:
    """The version as the request began, if the statement that found out who acts brought it; for strangers one statement.

    Many strangers at once share it: what another process has written reaches them a twentieth of a second later.
    """
    known = noted().get(_KNOWN)
    if isinstance(known, str):
        return known
    is_reading = has_session() and session().in_transaction()
    found = look(_VERSION.statement) if is_reading else _VERSION.look()
    return "" if found is None else str(found[0])


def remember(version: str) -> None:
    """Take the version that another statement brought, for the rest of this request."""
    noted()[_KNOWN] = version


def renew() -> None:
    """Let nothing that is kept be asked for again, in any process, once this transaction is committed."""
    session.connection().execute(_RENEW)


def about_to_write() -> None:
    """This transaction writes courses: until its end it reads them as they are, and keeps nothing of them."""
    noted().pop(_KNOWN, None)
    session.connection()
    noted()[_WRITTEN] = session().get_transaction()


def kept_of_content(name: str, work_out: Callable[[], Value], lifetime: Lifetime = "courses") -> Value:
    """What `work_out` reads of courses and nothing else, kept under `name` until somebody writes courses.

    It is the same for everybody, and nobody changes it. Equal calls at once read once. What raises is not kept. While the
    database is away, pages that say so get what was kept last, whatever its version; Unavailable if that is nothing.
    """
    writing = noted().get(_WRITTEN)
    if writing is not None and writing is session().get_transaction():
        return work_out()

    def last() -> Value:
        found: Value = last_kept(lifetime, name)
        return found

    return unless_away(lambda: kept(lifetime, name, content_version(), work_out), last)
