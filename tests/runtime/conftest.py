"""A data folder per test, and people who use it; at the end nothing may be running there."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.places import quick_folder
from tests.runtime.people import Person, is_quiet, kill_all, processes_of
from tests.waiting import eventually

Hire = Callable[..., Person]


def open_folder() -> Path:
    """A folder with a short path that the unprivileged user may enter (unlike pytest's own)."""
    return quick_folder("cv-runtime-")


@pytest.fixture(scope="session")
def made_once() -> Iterator[Path]:
    """A data folder as the first start leaves it; copies save the tests half a second each."""
    made = open_folder()
    Person(made).take().leave()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def empty() -> Iterator[Path]:
    """A data folder before the first start."""
    made = open_folder()
    yield made
    kill_all(made)
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def folder(empty: Path, made_once: Path) -> Path:
    """A data folder with a fresh database, which nobody uses yet."""
    subprocess.run(["cp", "-a", f"{made_once}/postgres", str(empty)], check=True)
    return empty


@pytest.fixture
def hire(empty: Path) -> Iterator[Hire]:
    """Start a user of the data folder; whoever is still there at the end is killed, and PostgreSQL must follow."""
    people: list[Person] = []

    def start(where: Path | None = None, kind: str = "lease", **more: object) -> Person:
        people.append(Person(where or empty, kind, **more))
        return people[-1]

    yield start
    for each in people:
        each.kill()
    assert eventually(lambda: is_quiet(empty)), processes_of(empty)


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can do this")
