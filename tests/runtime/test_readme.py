"""README.md is true: each of its commands is run, here or where this test says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from codyverse.core.embedded import throwaway
from config import ROOT
from tests.conftest import named, statement

COMMANDS = re.findall(
    r"^```\n(.*?)\n```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
ELSEWHERE = {
    "make run": "tests/runtime/test_serve.py",
    "make test": "it runs this test",
}


def test_every_command_is_run_somewhere(tmp_path: Path) -> None:
    here = [each for each in COMMANDS if each not in ELSEWHERE]
    assert set(ELSEWHERE) < set(COMMANDS)
    assert "make run" in (ROOT / ELSEWHERE["make run"]).read_text(encoding="utf-8").replace('", "', " ")
    with throwaway() as url:
        statement(url, "create database readme")
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "FLASK_APP": str(ROOT / "app.py"),
            "CODYVERSE_ENV": "testing",
            "CODYVERSE_DATA": str(tmp_path / "data"),
            "DATABASE_URL": named(url, "readme"),
            "ARGON2_TIME_COST": "1",
            "ARGON2_MEMORY_KIB": "1024",
        }
        flask = str(Path(sys.executable).parent / "flask")
        for command in [".venv/bin/flask db upgrade", *here]:
            done = subprocess.run(
                ["sh", "-c", command.replace(".venv/bin/flask", flask)],
                cwd=tmp_path,
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
    assert "you@example.org" in done.stdout
