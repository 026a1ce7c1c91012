"""Programs for the tests of the API, and the cast that they act for."""

from dataclasses import dataclass

import pytest
from flask import Flask

from codyverse.accounts.tokens import allowed_scopes
from tests.api.client import Program, token_for
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
