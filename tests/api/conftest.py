"""Programs for the tests of the API, and the cast that they act for."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from flask import Flask

from codyverse.accounts.tokens import allowed_scopes
from tests.api.client import Program, token_for
from tests.api.world import World, make_world
from tests.conftest import undone
from tests.factories import make_user


@dataclass(frozen=True)
class Actor:
    """A person with a program that may do all that they may."""

    id: int
    email: str
    program: Program


def actor(app: Flask, email: str, name: str, role: str = "learner") -> Actor:
    """Make somebody, with a token of all scopes that their role covers (for learners without progress:report)."""
    user_id = make_user(email=email, name=name, role=role)
    scopes = sorted(allowed_scopes(role, by_operator=role == "operator"))
    return Actor(user_id, email, Program(app, token_for(user_id, *scopes)))


@pytest.fixture
def stranger(app: Flask) -> Program:
    """A program without a token."""
    return Program(app)


@pytest.fixture
def ada(app: Flask) -> Actor:
    """A learner."""
    return actor(app, "ada@example.org", "Ada")


@pytest.fixture
def ben(app: Flask) -> Actor:
    """Another learner."""
    return actor(app, "ben@example.org", "Ben")


@pytest.fixture
def author(app: Flask) -> Actor:
    """An author."""
    return actor(app, "author@example.org", "Ute", "author")


@pytest.fixture
def operator(app: Flask) -> Actor:
    """An operator."""
    return actor(app, "operator@example.org", "Olu", "operator")


@pytest.fixture(scope="module")
def _operators_world(_application: Flask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with undone(_application):
        with _application.app_context():
            made = make_world(_application, tmp_path_factory.mktemp("world"), "operator")
            made.program.get("/users/me")
        yield made


@pytest.fixture
def world(_operators_world: World, app: Flask) -> World:
    """An operator who owns one of everything, with a token of all scopes that was used before; made once per module."""
    return replace(_operators_world, ids=dict(_operators_world.ids))
