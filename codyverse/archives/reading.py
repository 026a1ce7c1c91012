"""Taking somebody in with an archive from another site, who must trust whoever made it: it holds their points too.

What is bound to the other site (sessions, secrets, leagues) stays there; the password is set anew by a link.
"""

import io
import json
import secrets
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, insert
from sqlalchemy.exc import DataError, IntegrityError

from codyverse.accounts import passwords
from codyverse.accounts.services import address_key
from codyverse.archives import content
from codyverse.archives.numbers import CONTENT, carried, table, translated
from codyverse.archives.writing import DATA, FORMAT
from codyverse.core import personal
from codyverse.core.database import savepoint, session
from codyverse.core.errors import Conflict, Invalid

MOST_BYTES = 200 * 2**20
CHUNK = 1_000
NEW: dict[tuple[str, str], Callable[[], Any]] = {
    ("users", "password_hash"): lambda: passwords.hashed(secrets.token_urlsafe(32)),
    ("attempts", "seed"): lambda: secrets.randbits(62),
    ("purchases", "nonce"): lambda: f"moved-{secrets.token_hex(16)}",
    ("notification_choices", "unsubscribe_token"): lambda: secrets.token_urlsafe(24),
}
"""Columns that no archive holds, for they are secrets of the site, and what they are filled with here."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """Who it is now, how many rows came along, and how many answers are tied to another wording than they were given to."""

    user_id: int
    email: str
    rows: int
    reworded: int


def read(packed: bytes) -> dict[str, Any]:
    """The data of an archive. Raises Invalid for what is none, or of a newer version."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as file:
            if file.getinfo(DATA).file_size > MOST_BYTES:
                raise Invalid({"": ["The archive is too large."]})
            data: dict[str, Any] = json.loads(file.read(DATA))
        made_by = data["format"]
        complete = set(data["tables"]) == set(carried()) and set(data["content"]) == set(CONTENT)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, RecursionError, EOFError, OSError) as fault:
        raise Invalid({"": ["This is no archive of Cody Verse, or a part of it is missing."]}) from fault
    if made_by != FORMAT:
        raise Invalid({"": [f"The archive has the format {made_by}; this version reads {FORMAT}."]})
    if not complete or len(data["tables"]["users"]) != 1:
        raise Invalid({"": ["This is no archive of Cody Verse, or a part of it is missing."]})
    return data


def take_in(packed: bytes, role: str = "learner") -> TakenIn:
    """Make the account of an archive, with everything that it holds. All of it or nothing.

    Raises Invalid for what cannot be read, and Conflict when the address is taken or courses are missing here.
    """
    data = read(packed)
    try:
        with savepoint():
            return _Reader(data).take_in(role)
    except IntegrityError as fault:
        if "uq_users_email_key" in str(fault.orig):
            raise Conflict("Somebody here has the address of this archive already.") from fault
        if "uq_public_profiles_handle" in str(fault.orig):
            raise Conflict("Somebody here has the public address of this archive already.") from fault
        raise Invalid({"": [_plainly(fault)]}) from fault
    except (DataError, KeyError, ValueError, TypeError, IndexError, AttributeError) as fault:
        raise Invalid({"": [_plainly(fault)]}) from fault


def _plainly(fault: Exception) -> str:
    what = str(getattr(fault, "orig", fault)).strip().splitlines()
    return f"The archive holds something that cannot be: {what[0] if what else type(fault).__name__}"


class _Reader:
    """Writes the rows of one archive, table by table; knows what the places in it have become here."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = data["tables"]
        self.reworded = 0
        self.ids: dict[str, list[int]] = self._content(data["content"])
        self.user_id = 0

    def _content(self, refs: dict[str, list[dict[str, Any]]]) -> dict[str, list[int]]:
        """Table → place → id here. Raises Conflict naming what is missing."""
        keys = {name: [tuple(each["keys"]) for each in entries] for name, entries in refs.items()}
        here = content.places({each[0] for entries in keys.values() for each in entries})
        found: dict[str, list[int]] = {}
        missing: set[str] = set()
        for name in CONTENT:
            found[name] = []
            for each in keys[name]:
                number = here[name].get(each)
                if number is None and name == "step_revisions" and each[:-1] in here["steps"]:
                    number = content.present_wording(here["steps"][each[:-1]])
                    self.reworded += 1
                if number is None:
                    missing.add(" / ".join(each[:2]))
                found[name].append(number or 0)
        if missing:
            listed = ", ".join(sorted(missing)[:5]) + (" and more" if len(missing) > 5 else "")
            raise Conflict(f"This site lacks what the archive is about: {listed}. Load these courses first.")
        return found

    def _here(self, name: str, place: int) -> int:
        if place < 0:
            raise ValueError(f"no place in {name} is {place}")
        return self.ids[name][place]

    def take_in(self, role: str) -> TakenIn:
        rows = 0
        for name in carried():
            given = [self._row(name, row, role) for row in self.tables[name]]
            rows += len(given)
            for start in range(0, len(given), CHUNK):
                self._write(name, given[start : start + CHUNK])
        return TakenIn(self.user_id, self.tables["users"][0]["email"], rows, self.reworded)

    def _row(self, name: str, row: dict[str, Any], role: str) -> dict[str, Any]:
        """A row of the archive as a row here."""
        columns = table(name).columns
        known = {column.name for column in columns} - set(personal.TABLES[name].leave_out) - {"id", "user_id"}
        if set(row) != known:
            raise ValueError(f"a row of {name} has other columns than here")
        found = {key: _value(columns[key], value) for key, value in translated(name, row, self._here).items()}
        found |= {column: make() for (where, column), make in NEW.items() if where == name}
        if name == "users":
            key = address_key(str(row["email"]))
            return found | {"role": role, "email_key": key, "deactivated_at": None, "erase_after": None}
        return found | ({"user_id": self.user_id} if "user_id" in columns else {})

    def _write(self, name: str, rows: list[dict[str, Any]]) -> None:
        target = table(name)
        if "id" not in target.columns:
            session.execute(insert(target), rows)
            return
        made = session.scalars(insert(target).returning(target.c.id, sort_by_parameter_order=True), rows)
        self.ids.setdefault(name, []).extend(int(each) for each in made)
        if name == "users":
            self.user_id = self.ids[name][0]


def _value(column: Column[Any], value: Any) -> Any:
    """A JSON value as the column's own type."""
    kind = column.type.python_type
    if value is None:
        return None
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is date:
        return date.fromisoformat(value)
    return Decimal(str(value)) if kind is Decimal else value
