"""The folder in which all processes of an instance add up their numbers (PROMETHEUS_MULTIPROC_DIR).

Run as a script, ``python metrics_folder.py FOLDER COMMAND …``, it prepares the folder and becomes the command. It imports
nothing of Cody Verse.
"""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_FILE = re.compile(r"(?P<kind>[a-z_]+)_(?P<pid>\d+)\.db")


def prepare(folder: Path) -> dict[str, str]:
    """Make the folder and clear it of those who are gone; the variable to set. To be called before a process starts.

    If nobody who wrote there lives, it is a fresh start and everything goes. Else what was counted stays, and only what
    says how things are now (such as memory) goes with its process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {file: int(found["pid"]) for file in folder.glob("*.db") if (found := _FILE.fullmatch(file.name))}
    living = _living(set(files.values()))
    for file, pid in files.items():
        if not living or (pid not in living and file.name.startswith("gauge_live")):
            file.unlink(missing_ok=True)
    return {VARIABLE: str(folder)}


def _living(pids: Iterable[int]) -> set[int]:
    found = set()
    for pid in pids:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        except PermissionError:
            pass
        found.add(pid)
    return found


if __name__ == "__main__":
    os.environ.update(prepare(Path(sys.argv[1])))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - becomes what it was told to run
