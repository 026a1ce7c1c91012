"""What a process loads before it is of use, and the web server that splits off: no more than is needed, and nothing of its parent's."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from alembic.script import ScriptDirectory
from flask import Flask, has_app_context
from sqlalchemy import text

from codyverse.cli import COMMANDS, schema, web_server
from codyverse.cli.web_server import ENDS, Forked
from codyverse.core.database import session
from config import ROOT, load_settings
from tests.waiting import eventually

NEVER_IN_A_WEB_PROCESS = {
    *("alembic", "flask_migrate", "apscheduler", "codyverse.cli.serve", "codyverse.doctor"),  # of commands
    *("redis", "requests", "authlib", "webauthn", "prometheus_client"),  # when they are needed
}


def loaded(code: str, **env: str) -> set[str]:
    """The modules that a fresh process has after this; it reaches no database."""
    told = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, env=keep | {"CODYVERSE_ENV": "testing"} | env,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_web_process_loads_nothing_that_it_does_not_need() -> None:
    assert loaded("import app") & NEVER_IN_A_WEB_PROCESS == set()


def test_a_web_process_that_is_told_where_to_count_has_its_numbers_before_the_first_request(
    tmp_path: Path,
) -> None:
    assert "prometheus_client" in loaded("import app", PROMETHEUS_MULTIPROC_DIR=str(tmp_path))


def test_serving_needs_no_other_command() -> None:
    found = loaded("import app\napp.app.cli.get_command(None, 'serve')")
    assert "codyverse.cli.serve" in found
    assert found & (NEVER_IN_A_WEB_PROCESS - {"codyverse.cli.serve"}) == set()


def test_all_commands_are_where_they_are_said_to_be(app: Flask) -> None:
    context = click.Context(app.cli)
    for name in COMMANDS:
        found = app.cli.get_command(context, name)
        assert found is not None
        assert found.name == name
    assert set(COMMANDS) <= set(app.cli.list_commands(context))
    assert app.cli.get_command(context, "nonsense") is None


def test_whoever_is_ready_compiles_nothing_for_the_first_page() -> None:
    code = """
import app
app.get_ready()
ready = set(app.app.jinja_env.cache)
with app.app.test_request_context("/"):
    from codyverse.web.render import page
    page("pages/landing/landing.html", courses=())
assert set(app.app.jinja_env.cache) == ready, set(app.app.jinja_env.cache) - ready
"""
    assert {"prometheus_client", "a2wsgi", "codyverse.stream"} <= loaded(code)


# --- the newest tables ---


def test_the_newest_migration_is_the_one_that_alembic_finds(app: Flask) -> None:
    assert schema.heads(ROOT / "migrations" / "versions") == set(
        ScriptDirectory(str(ROOT / "migrations")).get_heads()
    )
    assert schema.is_newest()
    session.execute(text("update alembic_version set version_num = '0001'"))
    session.flush()
    assert not schema.is_newest()


@pytest.mark.parametrize(
    "files",
    [
        {"a": 'revision = "0121"\ndown_revision = None', "b": 'revision = "0122"\ndown_revision = None'},
        {"a": 'revision = "0121"\ndown_revision = named()'},
        {"a": "down_revision = None"},
        {},
    ],
    ids=["two ends", "not plain", "no name", "none"],
)
def test_what_cannot_be_told_without_alembic_is_left_to_it(
    app: Flask, tmp_path: Path, files: dict[str, str]
) -> None:
    for name, words in files.items():
        (tmp_path / f"{name}.py").write_text(words)
    assert not schema.is_newest(tmp_path)


def test_a_chain_is_followed_whatever_it_looks_like(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('revision: str = "1"\ndown_revision: str | None = None\n')
    (tmp_path / "b.py").write_text("revision = '2'\ndown_revision = '1'\n")
    (tmp_path / "c.py").write_text("revision = '3'\ndown_revision = '1'\n")
    (tmp_path / "d.py").write_text('revision = "4"\ndown_revision = ("2", "3")\n')
    assert schema.heads(tmp_path) == {"4"}


# --- the server that splits off ---

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere the server is started anew"
)


def told_by(act: Callable[[], bool]) -> bool:
    """What it says in a process that split off."""
    return Forked(lambda: sys.exit(0 if act() else 1)).wait(30) == 0


@linux
def test_a_server_that_splits_off_takes_nothing_of_its_parents_with_it(app: Flask) -> None:
    before = {each: signal.signal(each, lambda *_: None) for each in ENDS}
    try:
        with app.app_context():
            assert has_app_context()
            assert told_by(lambda: not has_app_context())
        assert told_by(lambda: all(signal.getsignal(each) == signal.SIG_DFL for each in ENDS))
        assert told_by(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set())
        assert told_by(lambda: os.getsid(0) == os.getpid())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()).isdisjoint(ENDS)


@linux
def test_a_server_that_was_never_told_to_serve_is_gone_when_nobody_will(tmp_path: Path) -> None:
    settings = load_settings({"CODYVERSE_ENV": "testing", "CODYVERSE_DATA": str(tmp_path)})
    before = set(multiprocessing.active_children())
    with web_server.made_ready(settings, {}, anew=False):
        [server] = set(multiprocessing.active_children()) - before
        assert server.is_alive()
    with contextlib.suppress(ProcessLookupError):
        assert eventually(lambda: not server.is_alive(), 30)
    assert server.exitcode == 0
