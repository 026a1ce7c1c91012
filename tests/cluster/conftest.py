"""One pair of databases for all tests of replicas; each test begins with a replica that is read from."""

from collections.abc import Iterator

import pytest

from codyverse.core.database import db
from tests.cluster.pair import Pair, a_pair
from tests.waiting import eventually


@pytest.fixture(scope="session")
def _pair() -> Iterator[Pair]:
    with a_pair() as made:
        yield made


@pytest.fixture
def pair(_pair: Pair) -> Iterator[Pair]:
    """The replica is level, Valkey has settled."""
    with _pair.app.app_context():
        assert eventually(_pair.is_in), _pair.replicas.all
        yield _pair
        db.session.remove()
