"""docs/operate.md is true: its commands run as they stand, and the units and the container start what the Procfile says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from codyverse.core.embedded import throwaway
from config import ROOT
from tests.conftest import named, statement

GUIDE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_guide(tmp_path: Path) -> None:
    """From an empty database to a restored backup, in the order of the page, in a folder of their own."""
    assert len(BLOCKS) >= 5
    with throwaway() as url:
        for name in ("guide", "empty"):
            statement(url, f"create database {name}")
        env = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "FLASK_APP": str(ROOT / "app.py"),
            "CODYVERSE_ENV": "testing",
            "CODYVERSE_DATA": str(tmp_path / "data"),
            "BACKUP_DIR": str(tmp_path / "backups"),
            "DATABASE_URL": named(url, "guide"),
            "EMPTY_DATABASE": named(url, "empty"),
            "LOG_LEVEL": "ERROR",
            "ARGON2_TIME_COST": "1",
            "ARGON2_MEMORY_KIB": "1024",
        }
        script = "set -eu\n" + "\n".join(BLOCKS)
        done = subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in (
        "Made ada@example.org, operator",
        "The ledger agrees.",
        "Proved: counts, courses and ledger",
    ):
        assert said in done.stdout
    assert "FAULT" not in done.stdout


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


def plain(command: str) -> str:
    """Without what differs by the place: hosts, and a unit's and a container's own ways of writing."""
    command = command.replace("$$", "$").replace("/srv/codyverse/.venv/bin/", "")
    return re.sub(r"--host \S+", "--host HERE", command)


@pytest.mark.parametrize("name", ["web", "stream", "worker"])
def test_the_units_start_what_the_procfile_says(name: str) -> None:
    unit = (ROOT / "deploy" / "systemd" / f"codyverse-{name}.service").read_text(encoding="utf-8")
    started = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert started is not None
    command = re.sub(r'^/bin/sh -c "exec (.*)"$', r"\1", started[1])
    assert plain(command) == plain(procfile()[name])
    assert "Restart=always" in unit
    assert "EnvironmentFile=/etc/codyverse/env" in unit


def test_the_container_starts_what_the_procfile_says() -> None:
    container = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
    started = re.search(r'^CMD \["sh", "-c", "exec (.*)"\]$', container, re.MULTILINE)
    assert started is not None
    assert plain(started[1]) == plain(procfile()["web"])
    for copied in re.findall(r"^COPY (?!--from)(\S+(?: \S+)*) \S+$", container, re.MULTILINE):
        for name in copied.split():
            assert (ROOT / name).exists(), name


def test_the_parts_that_are_named_are_there() -> None:
    for path in re.findall(r"`(deploy/[\w/.-]+)`", GUIDE):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\((?!http)([\w/.-]+)\)", GUIDE):
        assert (ROOT / "docs" / link).exists(), link
