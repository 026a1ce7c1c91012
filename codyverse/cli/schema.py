"""Whether the database has its newest tables, told without Alembic: to load it takes longer than the rest of this answer."""

import ast
import re
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from codyverse.core.database import session, undo
from config import ROOT

_LINE = re.compile(r"^(revision|down_revision)(?:\s*:[^=]*)?\s*=\s*(.+)$", re.MULTILINE)


def is_newest(folder: Path = ROOT / "migrations" / "versions") -> bool:
    """True only if the database stands at the one migration that no other builds on. In all other cases ask Alembic.

    Raises nothing: a database that does not answer is one to ask through Alembic too, which says what is wrong.
    """
    newest = heads(folder)
    try:
        there = session.execute(text("select to_regclass('alembic_version') is not null")).scalar_one()
        at = session.execute(text("select version_num from alembic_version")).scalars() if there else ()
        return len(newest) == 1 and set(at) == newest
    except SQLAlchemyError:
        return False
    finally:
        undo()


def heads(folder: Path) -> set[str]:
    """The revisions in these files that no other names as the one before it; empty if a file cannot be read so."""
    revisions: set[str] = set()
    before: set[str] = set()
    for file in sorted(folder.glob("*.py")):
        found = dict(_LINE.findall(file.read_text(encoding="utf-8")))
        try:
            revisions.add(ast.literal_eval(found["revision"]))
            down = ast.literal_eval(found["down_revision"])
        except (KeyError, ValueError, SyntaxError):
            return set()
        before.update((down,) if isinstance(down, str) else down or ())
    return revisions - before
