"""Pages of docs/measured that drills write."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from bench.report import table
from bench.run import MEASURED, commit

MEASURED_COMMIT = commit()
"""As it was when the drill began."""


def written(name: str, title: str, how: str, facts: dict[str, object], more: str = "") -> Path:
    """The page: when, on what, how it was done, and what came out."""
    path = MEASURED / f"{name}.md"
    when = f"Last run: {datetime.now(UTC):%Y-%m-%d}, commit {MEASURED_COMMIT}, {platform.system()} with {os.cpu_count()} cores"
    load = f"load {os.getloadavg()[2]:.0f} meanwhile"
    text = table(["What", "Found"], facts.items())
    path.write_text(
        f"# {title}\n\n{when} ({load}), by `make drill`.\n\n{how}\n\n{text}\n{more}", encoding="utf-8"
    )
    return path
