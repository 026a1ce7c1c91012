"""An application that may call loopback, and somebody else's server there."""

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.domains.webhooks.hooks import may_call_loopback
from tests.receiver import Receiver, receiver


@pytest.fixture
def other() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def near(app: Flask) -> Iterator[Flask]:
    with may_call_loopback(app):
        yield app


@pytest.fixture
def near_committed(committed_app: Flask) -> Iterator[Flask]:
    with may_call_loopback(committed_app):
        yield committed_app
