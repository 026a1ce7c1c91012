"""docs/api.md tells the truth: its commands and its program run as they stand there, its tables are those of the code."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.serving import make_server

from codyverse.accounts.tokens import SCOPES
from codyverse.api.openapi import STATUS, codes_of
from codyverse.api.operation import OPERATIONS
from codyverse.cli.jobs import run_what_is_waited_for
from codyverse.core.database import session
from codyverse.gamification.services import verify_ledger
from tests.factories import PASSWORD
from tests.web.playing import make_tea

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def blocks(language: str) -> str:
    """All blocks in this language, one after the other: what somebody has typed who followed the guide to its end."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert found
    return "\n".join(found)


@pytest.fixture
def surroundings(committed_app: Flask, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of somebody who reads the guide: a real server on this machine, an address, a password."""
    make_tea(tmp_path / "course")
    session.remove()
    server = make_server("127.0.0.1", 0, committed_app, threaded=True)
    over = Event()
    threads = [
        Thread(target=server.serve_forever),
        Thread(target=lambda: run_jobs(committed_app, over)),
    ]
    for each in threads:
        each.start()
    yield {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "BASE": f"http://127.0.0.1:{server.port}",
        "EMAIL": "reader@example.org",
        "PASSWORD": PASSWORD,
    }
    over.set()
    server.shutdown()
    for each in threads:
        each.join()
    server.server_close()


def run_jobs(app: Flask, over: Event) -> None:
    """What a worker does for those who wait."""
    while not over.wait(0.2):
        run_what_is_waited_for(app)


def run(program: list[str], script: str, env: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        [*program, script], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_the_guide_says_works(surroundings: dict[str, str], tmp_path: Path) -> None:
    assert shutil.which("curl"), "The guide's commands need curl: install it, then run the tests again."
    told = run(["bash", "-euo", "pipefail", "-c"], blocks("bash"), surroundings, tmp_path)
    assert '"next":"Sign in with POST /auth/tokens."' in told
    assert '"email":"reader@example.org"' in told
    assert "idempotency-replayed: true" in told.lower()
    assert '"code":"VALIDATION_ERROR"' in told
    assert told.rstrip().endswith("304")
    told = run([sys.executable, "-c"], blocks("python"), surroundings, tmp_path)
    assert re.search(r"^\d of 6 right at once, [1-9]\d* XP\.$", told, re.MULTILINE), told
    assert told.count("Step ") == 6
    counts = "select count(*), count(completed_at) from attempts"
    assert tuple(session.execute(text(counts)).one()) == (1, 1), "one attempt, whatever was sent twice"
    assert verify_ledger() == ()


def test_the_scopes_are_all_there() -> None:
    assert dict(re.findall(r"^\| `([a-z:]+)` \| (.+) \|$", GUIDE, re.MULTILINE)) == SCOPES


def test_the_codes_are_all_there() -> None:
    rows = re.findall(r"^\| ((?:`[A-Z_]+` ?)+)\| (\d{3}) \|", GUIDE, re.MULTILINE)
    told = {code: int(status) for codes, status in rows for code in re.findall("[A-Z_]+", codes)}
    assert told.items() <= STATUS.items()
    assert {code for op in OPERATIONS.values() for code in codes_of(op)} <= told.keys()
