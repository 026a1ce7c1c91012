"""Exports that are prepared and then fetched: asked for, taken up by the job, kept for a while. Adds and flushes, never commits.

One per person. States: `waiting` → `running` → `ready` → `over`, or `failed`. Only the job changes one that waits or runs, and
the job runs once at a time (jobs.run): so whatever is `running` when the job begins was left behind by one that died.
"""

import json
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from flask import current_app
from sqlalchemy import text

from codyverse.archives import models, writing
from codyverse.archives.writing import Archive
from codyverse.core.asking import ask_one, send, send_one
from codyverse.core.clock import now
from codyverse.core.sealing import CannotOpen, DocumentSeal

log = logging.getLogger(__name__)
State = Literal["none", "waiting", "running", "ready", "failed", "over"]
UNDER_WAY = ("waiting", "running")
MODEL = models.PreparedExport
"""All of this is about its table, in statements of their own."""
MOST_TRIES = 5
"""One that killed its worker so often is not tried again."""
REMEMBERED = timedelta(days=7)
"""So long it is known that one was not made, or is over."""
LOOK_AGAIN_S = 2
"""When it is worth asking again whether it is there: most are made within a second or two, once a worker has seen them."""
_COLUMNS = "state, asked_at, prepared_at, keep_until, size"

_ASK = text("""
    insert into prepared_exports as mine (user_id, state, asked_at, tries) values (:user_id, 'waiting', :at, 0)
    on conflict (user_id) do update
    set state = 'waiting', asked_at = excluded.asked_at, tries = 0, prepared_at = null, keep_until = null, size = null,
        archive = null, tables = null
    where mine.state not in ('waiting', 'running')
    returning state
""")
_STATE = text(f"select {_COLUMNS} from prepared_exports where user_id = :user_id")  # noqa: S608 - fixed words
_FORMS = {
    form: text(f"""
        select {_COLUMNS}, case when state = 'ready' and keep_until > :at then {form} end as sealed
        from prepared_exports where user_id = :user_id
    """)  # noqa: S608 - fixed words
    for form in ("archive", "tables")
}
_WAITS = text("select exists (select from prepared_exports where state in ('waiting', 'running')) as some")
_DROP = text("""
    delete from prepared_exports using users
    where users.id = user_id and users.deactivated_at is not null and state in ('waiting', 'running')
""")
_GIVE_UP = text("""
    update prepared_exports set state = 'failed' where state = 'running' and tries >= :most returning user_id
""")
_CLAIM = text("""
    update prepared_exports as mine set state = 'running', tries = mine.tries + 1
    where user_id = (
        select user_id from prepared_exports where state in ('waiting', 'running')
        order by asked_at, user_id limit 1 for update skip locked)
    returning user_id, asked_at, tries
""")
_OF_CLAIM = "user_id = :user_id and state = 'running' and asked_at = :asked_at and tries = :tries"
_FINISH = text(f"""
    update prepared_exports
    set state = 'ready', prepared_at = :at, keep_until = :until, size = :size, archive = :archive, tables = :tables
    where {_OF_CLAIM} returning user_id
""")  # noqa: S608 - fixed words
_FAIL = text(f"update prepared_exports set state = 'failed' where {_OF_CLAIM} returning user_id")  # noqa: S608 - fixed words
_END = text("""
    update prepared_exports set state = 'over', size = null, archive = null, tables = null
    where state = 'ready' and keep_until <= :at returning user_id
""")
_FORGET = text("""
    delete from prepared_exports where state in ('over', 'failed') and coalesce(keep_until, asked_at) <= :before
    returning user_id
""")


@dataclass(frozen=True, slots=True)
class Prepared:
    """How somebody's export stands. `size` is the archive's, in bytes."""

    state: State
    asked_at: datetime | None = None
    prepared_at: datetime | None = None
    keep_until: datetime | None = None
    size: int | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it waits for the job or is being made by it."""
        return self.state in UNDER_WAY


@dataclass(frozen=True, slots=True)
class Claim:
    """An export that the job has taken up. `tries` counts this one."""

    user_id: int
    asked_at: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class Tables:
    """The rows by table as they were, in JSON: the same bytes each time."""

    json: bytes
    prepared_at: datetime


def ask(user_id: int) -> Prepared:
    """Have it prepared, in place of one that is there. While one is under way that is it, and nothing more happens."""
    send(_ASK, {"user_id": user_id, "at": now()})
    return _read(send_one(_STATE, {"user_id": user_id}))


def state(user_id: int) -> Prepared:
    """How it stands. One statement."""
    return _read(ask_one(_STATE, {"user_id": user_id}))


def _read(row: Any) -> Prepared:
    if row is None:
        return Prepared("none")
    found = Prepared(*row[:5])
    if found.state == "ready" and cast("datetime", found.keep_until) <= now():
        return replace(found, state="over", size=None)
    return found


def archive(user_id: int) -> tuple[Prepared, Archive | None]:
    """How it stands, and the file if it is ready. One statement."""
    found, data = _fetched(user_id, "archive")
    if data is None or found.prepared_at is None:
        return found, None
    return found, Archive(data, writing.name_of(found.prepared_at))


def tables(user_id: int) -> tuple[Prepared, Tables | None]:
    """How it stands, and the rows by table if it is ready. One statement."""
    found, data = _fetched(user_id, "tables")
    if data is None or found.prepared_at is None:
        return found, None
    return found, Tables(zlib.decompress(data), found.prepared_at)


def _fetched(user_id: int, form: str) -> tuple[Prepared, bytes | None]:
    """What was sealed under another SECRET_KEY is as good as over."""
    row = ask_one(_FORMS[form], {"user_id": user_id, "at": now()})
    found = _read(row)
    if found.state != "ready" or row.sealed is None:
        return found, None
    try:
        return found, _seal().open(bytes(row.sealed), _about(user_id, form))
    except CannotOpen:
        log.warning("an export was sealed under another SECRET_KEY than this process has")
        return replace(found, state="over", size=None), None


def _seal() -> DocumentSeal:
    return DocumentSeal(current_app.extensions["settings"].secret_key, "exports")


def _about(user_id: int, form: str) -> str:
    return f"{user_id}:{form}"


# --- for the job ---


def waits() -> bool:
    """Whether there is anything for the job to do now. One statement."""
    return bool(ask_one(_WAITS).some)


def claim() -> Claim | None:
    """Take up the one that was asked for first; None if none is left. To be committed before it is made.

    Those of people who are gone are dropped here, and those that were tried too often are given up.
    """
    send(_DROP)
    send(_GIVE_UP, {"most": MOST_TRIES})
    row = send_one(_CLAIM)
    return None if row is None else Claim(*row)


def finish(claimed: Claim, made: Archive, rows: Mapping[str, Any], prepared_at: datetime) -> bool:
    """Keep both forms of it; False if nobody wants it any more: the person was erased meanwhile."""
    seal, who = _seal(), claimed.user_id
    packed = zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())
    kept_for = timedelta(hours=current_app.extensions["settings"].export_kept_hours)
    values = {
        "at": prepared_at,
        "until": prepared_at + kept_for,
        "size": len(made.data),
        "archive": seal.close(made.data, _about(who, "archive")),
        "tables": seal.close(packed, _about(who, "tables")),
    }
    return bool(send(_FINISH, _values(claimed) | values))


def fail(claimed: Claim) -> None:
    """It cannot be made; whose it is can ask again."""
    send(_FAIL, _values(claimed))


def _values(claimed: Claim) -> dict[str, Any]:
    return {"user_id": claimed.user_id, "asked_at": claimed.asked_at, "tries": claimed.tries}


def end_old() -> int:
    """Delete the documents whose time is over; how many. That they were there is known a little longer."""
    return len(send(_END, {"at": now()}))


def forget_old(at: datetime) -> int:
    """Delete what is known of those that are over or were not made; how many. Again is harmless."""
    return len(send(_FORGET, {"before": at - REMEMBERED}))
