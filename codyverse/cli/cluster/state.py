"""What a running cluster tells of itself: a file, and a lock that is held as long as it runs."""

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Refused(Exception):
    """A cluster that may not be started; the text is for the person at the keyboard."""


@dataclass(frozen=True)
class State:
    """The supervisor, and of each process its id (None while it starts) and how often it was started.

    `restarts` counts the rolling restarts that have ended, `fault` says what became of the last one ('' if it went well).
    """

    pid: int
    address: str
    restarts: int = 0
    fault: str = ""
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)

    def write(self, folder: Path) -> None:
        """Put it in the place of the last one, whole."""
        draft = folder / "state.new"
        draft.write_text(self.as_json(), encoding="utf-8")
        draft.replace(folder / "state.json")


def read(folder: Path) -> State | None:
    """The state of the cluster that runs here; None if none does."""
    if not _is_held(folder):
        return None
    try:
        return State(**json.loads((folder / "state.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Be the one cluster of this folder. Raises Refused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise Refused(
                f"A cluster runs already on {folder.parent}: flask cluster status shows it."
            ) from fault
        (folder / "state.json").unlink(missing_ok=True)
        yield
    finally:
        os.close(lock)


def _is_held(folder: Path) -> bool:
    try:
        lock = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
