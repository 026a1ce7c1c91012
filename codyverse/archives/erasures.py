"""The list of those who were erased, also kept outside of the database: a restored backup does not know the newest ones."""

import os
from pathlib import Path

from flask import current_app

from codyverse.accounts import people
from codyverse.core.database import unit_of_work

NAME = "erasures.txt"


def kept() -> Path:
    """The list in the data folder; whether it is there is not asked."""
    return Path(current_app.extensions["settings"].data_dir, NAME)


def beside(backup: Path) -> Path:
    """The list in the folder of a backup; whether it is there is not asked."""
    return backup.with_name(NAME)


def _known(*paths: Path) -> set[str]:
    """Who is in these files, as far as they are there; lines that are no hash are left aside."""
    lines = [line for path in paths if path.exists() for line in path.read_text().split()]
    return {line for line in lines if len(line) == 64 and set(line) <= set("0123456789abcdef")}


def write_down(path: Path | None = None) -> Path:
    """Bring the list up to date, in the data folder if no file is named; hashes only, one a line.

    It only ever grows. Again is harmless. Raises OSError.
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

    `more` are lists besides the one in the data folder; all of them go into that one. Raises OSError.
    """
    known = _known(kept(), *more)
    with unit_of_work():
        back = people.replay_erasures(known)
    write_down()
    return back
