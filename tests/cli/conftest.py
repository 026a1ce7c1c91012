"""A site that somebody has learned on, and its backup."""

from pathlib import Path

import pytest
from flask import Flask

from codyverse.core.database import session
from tests.cli.restored import run
from tests.domains.study import Plan, do_lesson, make_course
from tests.factories import make_user


@pytest.fixture
def site(committed_app: Flask) -> Flask:
    [lesson, _] = make_course(Plan(asks=2), Plan(asks=1))
    do_lesson(make_user(email="ada@example.org"), lesson)
    session.remove()
    return committed_app


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("a-key-of-the-tests-0123456789\n")
    return path


@pytest.fixture
def backup(site: Flask, tmp_path: Path) -> Path:
    path = tmp_path / "one.codyverse"
    result = run(site, "backup", str(path))
    assert result.exit_code == 0, result.output
    return path
