"""The list of those who were erased, also kept outside of the database: a restored backup does not know the newest ones."""

import os
import re
from pathlib import Path

from flask import current_app

from codyverse.accounts import people
from codyverse.core.database import unit_of_work
from codyverse.core.errors import Conflict

NAME = "erasures.txt"
_HASH = re.compile(rb"[0-9a-f]{64}")


def kept() -> Path:
    """The list in the data folder; whether it is there is not asked."""
    return Path(current_app.extensions["settings"].data_dir, NAME)


def beside(backup: Path) -> Path:
    """The list in the folder of a backup; whether it is there is not asked."""
    return backup.with_name(NAME)


class Damaged(Conflict):
    """A list that is not what `write_down` wrote; the message says which, where, and what to do."""


def check(*paths: Path) -> None:
    """That these lists, as far as they are there, and the one in the data folder can be used. Raises Damaged, OSError."""
    _known(kept(), *paths)


def _known(*paths: Path) -> set[str]:
    """Who is in these files, as far as they are there. Raises Damaged: somebody may be missing in a list that is."""
    return {line for path in paths if path.exists() for line in _lines(path)}


def _lines(path: Path) -> list[str]:
    lines = path.read_bytes().split()
    for number, line in enumerate(lines, 1):
        if not _HASH.fullmatch(line):
            raise Damaged(
                f"{path}, the list of those who were erased, is damaged: entry {number} is no hash of 64 signs. Put a whole "
                "copy in its place (a list like it lies beside every backup), or, if there is none, take that entry out."
            )
    return [line.decode() for line in lines]


def write_down(path: Path | None = None) -> Path:
    """Bring the list up to date, in the data folder if no file is named; hashes only, one a line.

    It only ever grows. Again is harmless. Raises OSError, and Damaged for a list that is there already.
    """
    path = path or kept()
    everybody = sorted(_known(kept(), path) | set(people.erasures()))
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(f"{each}\n" for each in everybody))
    os.replace(fresh, path)  # noqa: PTH105 - says what is meant: at once, or not at all
    return path


def replay(*more: Path) -> int:
    """After a restore: erase again whoever the backup has brought back; how many. Again is harmless.

    `more` are lists besides the one in the data folder; all of them go into that one. Raises OSError, Damaged.
    """
    known = _known(kept(), *more)
    with unit_of_work():
        back = people.replay_erasures(known)
    write_down()
    return back
