"""The list of those who were erased, also kept outside of the database: a restored backup does not know the newest ones."""

import os
from pathlib import Path

from flask import current_app

from codyverse.accounts import people
from codyverse.core.database import unit_of_work

NAME = "erasures.txt"


def _file() -> Path:
    return Path(current_app.extensions["settings"].data_dir, NAME)


def _known() -> set[str]:
    """Who is in the file; lines that are no hash are left aside."""
    path = _file()
    lines = path.read_text().split() if path.exists() else []
    return {line for line in lines if len(line) == 64 and set(line) <= set("0123456789abcdef")}


def write_down() -> Path:
    """Bring the file in the data folder up to date; hashes only, one a line. It only ever grows. Again is harmless."""
    path, everybody = _file(), sorted(_known() | set(people.erasures()))
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(f"{each}\n" for each in everybody))
    os.replace(fresh, path)  # noqa: PTH105 - says what is meant: at once, or not at all
    return path


def replay() -> int:
    """After a restore: erase again whoever the backup has brought back; how many. Again is harmless."""
    with unit_of_work():
        back = people.replay_erasures(_known())
    write_down()
    return back
