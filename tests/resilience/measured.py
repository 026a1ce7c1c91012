"""Pages of docs/measured that these drills write."""

import os
import platform

from bench.report import table
from bench.run import MEASURED, commit
from codyverse.core.clock import now


def written(name: str, title: str, how: str, facts: dict[str, object], more: str = "") -> None:
    """The page: when, at which commit, on what, how it was done, what came out."""
    when = f"{now():%Y-%m-%d}, commit {commit()}, {platform.system()} with {os.cpu_count()} cores "
    when += f"(load {os.getloadavg()[1]:.0f} meanwhile)"
    text = table(["What", "Found"], facts.items()) + "\n" if facts else ""
    page = f"# {title}\n\nLast run: {when}, by `make drill`.\n\n{how}\n\n{text}{more}"
    (MEASURED / f"{name}.md").write_text(page, encoding="utf-8")
