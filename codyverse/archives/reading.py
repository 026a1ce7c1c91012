"""Taking somebody in with an archive from another site, who must trust whoever made it: it holds their points too.

What is bound to the other site (sessions, secrets, leagues) stays there; the password is set anew by a link.
"""

import io
import json
import lzma
import secrets
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.exc import StatementError

from codyverse.accounts import passwords
from codyverse.archives import content
from codyverse.archives.checking import ANEW, cannot_be, checked, refusal, value
from codyverse.archives.numbers import CONTENT, carried, table, translated
from codyverse.archives.writing import DATA, FORMAT
from codyverse.core import personal
from codyverse.core.clock import now
from codyverse.core.database import savepoint, session
from codyverse.core.errors import Conflict, Invalid
from codyverse.gamification.services import verify_ledger

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
    """The data of an archive. Raises Invalid for what is none, is damaged, or of a newer version."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as file:
            if file.getinfo(DATA).file_size > MOST_BYTES:
                raise Invalid({"": ["The archive is too large."]})
            data: dict[str, Any] = json.loads(file.read(DATA), parse_constant=_no_number)
        made_by = data["format"]
        complete = set(data["tables"]) == set(carried()) and set(data["content"]) == set(CONTENT)
        complete = complete and len(data["tables"]["users"]) == 1
    except _UNREADABLE as fault:
        raise Invalid({"": [f"This is no archive of Cody Verse, or it is damaged. {ANEW}"]}) from fault
    if made_by != FORMAT:
        raise Invalid({"": [f"The archive has the format {made_by!s:.40}; this version reads {FORMAT}."]})
    if not complete:
        raise Invalid({"": [f"This is no archive of Cody Verse, or a part of it is missing. {ANEW}"]})
    return data


_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(KeyError, IndexError, ValueError, TypeError, AttributeError),
    RuntimeError,  # encrypted, packed in a way that Python does not know, or nested too deeply
)


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def take_in(packed: bytes, role: str = "learner") -> TakenIn:
    """Make the account of an archive, with everything that it holds. All of it or nothing.

    Raises Invalid for what cannot be read or cannot be, points that do not agree among it, and Conflict when the address
    is taken or courses are missing here.
    """
    data = read(packed)
    try:
        with savepoint():
            return _Reader(data).take_in(role)
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as fault:
        raise cannot_be(str(fault) or type(fault).__name__) from fault


class _Reader:
    """Writes the rows of one archive, table by table; knows what the places in it have become here."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = data["tables"]
        self.reworded = 0
        self.ids: dict[str, list[int]] = self._content(data["content"])
        self.user_id = 0
        self.at = now()

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
        known = self.ids.get(name, [])
        if type(place) is not int or not 0 <= place < len(known):
            raise ValueError(f"it names {name} number {str(place)[:40]}, which is not in it")
        return known[place]

    def take_in(self, role: str) -> TakenIn:
        rows = 0
        for name in carried():
            given = [self._row(name, row, role) for row in self.tables[name]]
            rows += len(given)
            for start in range(0, len(given), CHUNK):
                self._write(name, given[start : start + CHUNK])
            if name == "users":
                email = given[0]["email"]
        self._prove_ledger()
        return TakenIn(self.user_id, email, rows, self.reworded)

    def _prove_ledger(self) -> None:
        """What does not agree here would be found by every `flask ledger verify`, and every restored backup, from now on."""
        session.flush()
        if found := verify_ledger(self.user_id):
            first, more = found[0], f", and {len(found) - 1} more" if len(found) > 1 else ""
            told = (
                f"The points of the archive do not agree: {first.what}: {first.stored}, but {first.derived}{more}. "
                "If the other site made the file like this, let it run `flask ledger rebuild`, and export anew."
            )
            raise Invalid({"": [told]})

    def _row(self, name: str, row: dict[str, Any], role: str) -> dict[str, Any]:
        """A row of the archive as a row here."""
        columns = table(name).columns
        known = {column.name for column in columns} - set(personal.TABLES[name].leave_out) - {"id", "user_id"}
        if set(row) != known:
            raise ValueError(f"a row of {name} has other columns than here")
        here = translated(name, row, self._here)
        found = checked(name, {key: value(columns[key], given, self.at) for key, given in here.items()})
        found |= {column: make() for (where, column), make in NEW.items() if where == name}
        if name == "users":
            key = found["email"].casefold()
            return found | {"role": role, "email_key": key, "deactivated_at": None, "erase_after": None}
        return found | ({"user_id": self.user_id} if "user_id" in columns else {})

    def _write(self, name: str, rows: list[dict[str, Any]]) -> None:
        target = table(name)
        try:
            self._insert(name, target, rows)
        except StatementError as fault:
            if (told := refusal(name, fault)) is None:
                raise
            raise told from fault

    def _insert(self, name: str, target: Table, rows: list[dict[str, Any]]) -> None:
        if "id" not in target.columns:
            session.execute(insert(target), rows)
            return
        made = session.scalars(insert(target).returning(target.c.id, sort_by_parameter_order=True), rows)
        self.ids.setdefault(name, []).extend(int(each) for each in made)
        if name == "users":
            self.user_id = self.ids[name][0]
