"""Time zones by name, for whatever stands in the database: one that this system does not know must stop nobody else's day."""

import logging
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

log = logging.getLogger(__name__)


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo:
    """The zone of this IANA name. One that the system does not know is UTC, which the log says once per process."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        log.warning("this system knows no time zone %r: UTC is used in its place", name[:100])
        return ZoneInfo("UTC")
