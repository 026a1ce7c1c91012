"""A whole cluster to be damaged; one for all drills of a module."""

from collections.abc import Iterator

import pytest

from bench.clustered import Clustered, clustered
from bench.journeys import free_port


@pytest.fixture(scope="module")
def cluster_up() -> Iterator[Clustered]:
    with clustered(free_port()) as made:
        yield made
