"""A closed folder for Unix sockets whose paths are short enough, near the data if that is possible."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

LONGEST_PATH = 103
"""Bytes; Linux allows 107, macOS 103."""
LONGEST_NAME = 24


def socket_folder(wanted: Path) -> Path:
    """`wanted`, or a folder in its place below the temporary one; made, and closed to everybody else.

    Raises OSError when somebody else's folder stands there.
    """
    found = wanted
    if len(os.fsencode(wanted)) + 1 + LONGEST_NAME > LONGEST_PATH:
        digest = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:16]
        found = Path(tempfile.gettempdir()) / f"codyverse-{os.geteuid()}-{digest}"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = found.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError(f"{found} belongs to somebody else: remove it and start again.")
    found.chmod(0o700)
    return found
