"""The real `flask` as an operator types it: a process of its own, its two outputs apart."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def flask(url: str, *words: str | bytes, typed: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run it on the database at `url`, with nothing else of this process's settings."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    cheap = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "1024"}
    given = keep | cheap | {"CODYVERSE_ENV": "testing", "DATABASE_URL": url} | env
    command = [sys.executable, "-m", "flask", *words]
    return subprocess.run(
        command, cwd=ROOT, env=given, input=typed, capture_output=True, text=True, check=False
    )
