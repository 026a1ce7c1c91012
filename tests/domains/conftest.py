"""Settings of the tests of domains: a busy machine makes no example wrong."""

from hypothesis import settings

settings.register_profile("domains", deadline=None)
settings.load_profile("domains")
