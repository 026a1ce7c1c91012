"""What the tests of domains share: a busy machine makes no example wrong, a clock that stands, a learner."""

import pytest
from hypothesis import settings

from tests.domains.study import NOON
from tests.factories import make_user

settings.register_profile("domains", deadline=None)
settings.load_profile("domains")


@pytest.fixture
def clock(app, time_machine):
    """A clock that stands until it is moved."""
    time_machine.move_to(NOON, tick=False)
    return time_machine


@pytest.fixture
def ada(clock) -> int:
    return make_user(name="Ada")
