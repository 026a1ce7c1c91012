"""Where the tests keep what they throw away: in memory where there is room, for making a database is making files."""

import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 2_000_000_000
"""Bytes that have to be free there; the databases of one test worker take less than a quarter of it."""


def quick_folder(prefix: str) -> Path:
    """A new folder with a short path that others may enter, as PostgreSQL's own user has to; its maker removes it."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if in_memory else None)).resolve()
    made.chmod(0o755)
    return made
