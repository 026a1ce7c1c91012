"""schemathesis over the whole document: no 5xx, every answer as documented, what is refused is refused by the schema too."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from bench.run import commit
from codyverse.api.operation import OPERATIONS
from codyverse.core.clock import now
from config import ROOT
from tests.api.served import Served, served
from tests.api.world import COURSE, PASSWORD, World, make_world
from tests.domains.gamification.test_shop import give

REPORT = ROOT / "docs" / "measured" / "schemathesis.md"
TREES = frozenset({"createCourse", "replaceCourse"})
"""Operations whose body is a whole course."""


def run(place: Served, world: World, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """schemathesis as a stranger would call it."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    env = keep | {
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.api.stranger_hooks",
        "STRANGER_URL": place.url,
        "STRANGER_TOKEN": world.token,
        "STRANGER_COOKIE": world.browser.cookie,
        "STRANGER_EMAIL": world.email,
        "STRANGER_PASSWORD": PASSWORD,
        "STRANGER_PLACES": json.dumps(places(world)),
        "STRANGER_COURSE": json.dumps(COURSE | {"key": world.ids["course_key"]}),
    }
    command = [
        *(sys.executable, "-m", "schemathesis.cli"),
        *("run", f"{place.url}/api-spec.json", "--url", place.url, "--workers", "1", "--no-color"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--generation-database", "none"),
        *("--exclude-checks", "positive_data_acceptance"),
        *("--request-timeout", "60", "--suppress-health-check", "all", *arguments),
    ]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=3600
    )


def places(world: World) -> dict[str, dict[str, Any]]:
    """For operations that need it, the parts of the path as the document names them, with what is there."""
    ids = world.ids
    asks = {"attemptId": ids["open_attempt_id"], "stepId": ids["step_id"]}
    return {
        "takeHint": asks,
        "saveDraft": asks,
        "readStep": asks | {"stepId": ids["teaching_step_id"]},
        "replaceCourse": {"courseId": ids["course_id"]},
        "buyItem": {"itemId": ids["item_id"]},
        "getLedgerEntry": {"entryId": ids["entry_id"]},
        "markRead": {"notificationId": ids["notification_id"]},
    }


def must_find_nothing(
    app: Flask, folder: Path, *arguments: str, without: frozenset[str] = frozenset()
) -> str:
    """Every operation but those named is tried, and was let in: each has answered something good. What the tool said."""
    world = make_world(app, folder, "operator")
    give(world.user_id, coins=1000)
    left_out = [part for name in sorted(without) for part in ("--exclude-operation-id", name)]
    with served(app) as place:
        done = run(place, world, folder, *arguments, *left_out)
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
        never = {name for name in OPERATIONS if not any(status < 300 for status in place.statuses(name))}
        assert never <= without
        return done.stdout


def test_strangers_tool_finds_nothing(committed_app: Flask, tmp_path: Path) -> None:
    """All phases, few examples; the whole trees of courses, which take minutes, in the long form only."""
    must_find_nothing(committed_app, tmp_path, "--max-examples", "5", "--seed", "1", without=TREES)


@pytest.mark.drill
def test_strangers_tool_finds_nothing_in_a_long_time(committed_app: Flask, tmp_path: Path) -> None:
    """What `make drill` runs; the result is written down."""
    said = must_find_nothing(committed_app, tmp_path, "--max-examples", "100", "--continue-on-failure")
    tested, cases = re.search(r"Tested: (\d+)", said), re.search(r"(\d+) generated", said)
    assert tested
    assert cases
    when = f"Last run: {now():%Y-%m-%d}, commit {commit()}, by `make drill` (tests/api/test_schemathesis.py)."
    facts = {
        "operations tried": int(tested[1]),
        "operations that the document names": len(OPERATIONS),
        "operations that answered something good at least once": len(OPERATIONS),
        "requests generated": int(cases[1]),
        "failures: 5xx, undocumented answers, answers unlike their schema": 0,
    }
    rows = "\n".join(f"| {what} | {number} |" for what, number in facts.items())
    phases = "Phases examples, coverage, fuzzing and stateful, 100 examples each, with a token of all scopes."
    REPORT.write_text(
        f"# schemathesis over the whole document\n\n{when}\n\n{phases}\n\n| What | How many |\n| --- | --- |\n{rows}\n"
    )
