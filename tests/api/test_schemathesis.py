"""schemathesis over the whole document: no 5xx, every answer as documented, what is refused is refused by the schema too."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from codyverse.api.operation import OPERATIONS
from config import ROOT
from tests.api.served import Served, served
from tests.api.world import PASSWORD, World, make_world
from tests.domains.gamification.test_shop import give

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
        "buyItem": {"itemId": ids["item_id"]},
        "getLedgerEntry": {"entryId": ids["entry_id"]},
        "markRead": {"notificationId": ids["notification_id"]},
    }


def must_find_nothing(
    app: Flask, folder: Path, *arguments: str, without: frozenset[str] = frozenset()
) -> None:
    """Every operation but those named is tried, and was let in: each has answered something good."""
    world = make_world(app, folder, "operator")
    give(world.user_id, coins=1000)
    left_out = [part for name in sorted(without) for part in ("--exclude-operation-id", name)]
    with served(app) as place:
        done = run(place, world, folder, *arguments, *left_out)
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
        never = {name for name in OPERATIONS if not any(status < 300 for status in place.statuses(name))}
        assert never <= without


def test_strangers_tool_finds_nothing(committed_app: Flask, tmp_path: Path) -> None:
    """All phases, few examples; the whole trees of courses, which take minutes, in the long form only."""
    must_find_nothing(committed_app, tmp_path, "--max-examples", "5", "--seed", "1", without=TREES)


@pytest.mark.drill
def test_strangers_tool_finds_nothing_in_a_long_time(committed_app: Flask, tmp_path: Path) -> None:
    must_find_nothing(committed_app, tmp_path, "--max-examples", "100", "--continue-on-failure")
