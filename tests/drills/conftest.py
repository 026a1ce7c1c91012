"""A whole cluster to be damaged; one for all drills of a module.

Whoever has to wait waits long: that too many are refused is another drill's, and a machine may be slow here.
"""

from collections.abc import Iterator

import pytest

from bench.clustered import Clustered, clustered
from bench.journeys import free_port


@pytest.fixture(scope="module")
def cluster_up() -> Iterator[Clustered]:
    with clustered(free_port(), WEB_QUEUE_MS="30000") as made:
        yield made
