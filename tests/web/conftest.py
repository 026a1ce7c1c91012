"""Browsers without JavaScript for the tests of pages."""

import pytest
from flask import Flask

from tests.factories import make_user
from tests.web.visits import Visitor


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """A stranger's browser."""
    return Visitor(app)


@pytest.fixture
def learner(app: Flask) -> Visitor:
    """Ada, signed in."""
    make_user(email="ada@example.org", name="Ada")
    return Visitor(app).sign_in("ada@example.org")


@pytest.fixture
def other(app: Flask) -> Visitor:
    """Ben, another learner, signed in."""
    make_user(email="ben@example.org", name="Ben")
    return Visitor(app).sign_in("ben@example.org")
