"""A client that openapi-python-client makes from the document does a whole lesson against a real server."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask

from codyverse.api.operation import OPERATIONS
from codyverse.progress.rehearsal import solution
from tests.api.served import served
from tests.web.playing import make_tea

PASSWORD = "wren-lantern-tide-42"
BIN = Path(sys.executable).parent


def generate(url: str, folder: Path) -> str:
    """Make the client; the name of its package."""
    keep = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    env = keep | {"PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [
        str(BIN / "openapi-python-client"),
        "generate",
        "--url",
        f"{url}/api-spec.json",
        "--fail-on-warning",
    ]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [project] = [each for each in folder.iterdir() if (each / "pyproject.toml").exists()]
    sys.path.insert(0, str(project))
    return next(each.parent.name for each in project.glob("*/client.py"))


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What was put on the path for the client is taken away again."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("cody_verse_client"):
            del sys.modules[name]


class Client:
    """Calls the generated functions by the names of their operations."""

    def __init__(self, package: str, url: str, token: str | None = None) -> None:
        self.package = importlib.import_module(package)
        self.models: ModuleType = importlib.import_module(f"{package}.models")
        self.session = (
            self.package.AuthenticatedClient(base_url=url, token=token)
            if token
            else self.package.Client(base_url=url)
        )
        self.api = {each.stem: each for each in Path(str(self.package.__file__)).parent.glob("api/*/*.py")}

    def call(self, operation: str, *parts: Any, status: int, **given: Any) -> Any:
        """The parsed answer's data."""
        module = importlib.import_module(
            f"{self.package.__name__}.api.{self.api[operation].parent.name}.{operation}"
        )
        answer = module.sync_detailed(*parts, client=self.session, **given)
        assert answer.status_code == status, answer.content
        assert answer.parsed.success is True
        return answer.parsed.data


@pytest.mark.usefixtures("forgotten")
def test_a_whole_lesson_with_the_generated_client(committed_app: Flask, tmp_path: Path) -> None:
    lesson_id = make_tea(tmp_path)
    with served(committed_app) as place:
        package = generate(place.url, tmp_path)
        stranger = Client(package, place.url)
        person = {"email": "new@example.org", "password": PASSWORD}
        register = stranger.models.RegisterIn.from_dict(person | {"name": "Neo"})
        stranger.call("register", body=register, status=201)
        wanted = person | {
            "name": "phone",
            "scopes": ["progress:read", "progress:write", "profile:read", "game:read"],
        }
        made = stranger.call("create_token", body=stranger.models.TokenIn.from_dict(wanted), status=201)
        assert made.token.startswith("cody_")
        neo = Client(package, place.url, made.token)

        begun = neo.call("start_attempt", lesson_id, status=201)
        for step in begun.steps:
            if step.exercise is not None:
                given = {
                    "stepId": step.step_id,
                    "tryNo": 1,
                    "answer": solution(begun.attempt_id, step.step_id),
                }
                body = neo.models.AnswerIn.from_dict(given)
                verdict = neo.call("answer_step", begun.attempt_id, body=body, status=200).verdict
                assert verdict.correct is True
        done = neo.call("complete_attempt", begun.attempt_id, status=200)
        assert (done.score, done.right, done.asked) == (100, 6, 6)
        assert done.rewards.xp > 0
        me = neo.call("get_me", status=200)
        assert me.name == "Neo"
        [boards] = [[op.id for op in OPERATIONS.values() if op.path == "/gamification/dashboard/<user_id>"]]
        for name in boards:
            board = neo.call(_snake(name), me.id, status=200)
            assert board.user.total_xp == done.rewards.xp
            assert len(board.badges) > 0


def _snake(name: str) -> str:
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name)
