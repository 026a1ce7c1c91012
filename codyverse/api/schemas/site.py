"""How the site is, as JSON."""

from typing import Annotated, Any, Literal

from pydantic import Field

from codyverse.api.schemas.common import Moment, Out


class ReplicaOut(Out):
    """A replica of REPLICA_URLS, as this process sees it. Only one that is `level` is read from."""

    name: str
    state: Literal["level", "behind", "away"]
    lag_seconds: float | None = None
    fault: str | None = None


class HealthDetails(Out):
    """For operators."""

    database_ms: float
    memory_bytes: int
    memory_limit: int
    pool: dict[str, int]
    replicas: list[ReplicaOut]
    version: str


class HealthOut(Out):
    """As it was found at `checkedAt`, at most half a minute ago."""

    overall: Literal["healthy", "degraded", "critical"]
    database: Literal["connected", "disconnected", "timeout"]
    memory: Literal["optimal", "warning", "critical"]
    cache: Literal["operational", "degraded", "offline"]
    checked_at: Moment
    uptime: Annotated[int, Field(ge=0, description="Seconds since this process began.")]
    details: HealthDetails | None = None


class CacheLifetime(Out):
    """One of the four lifetimes: looks of all processes where they add up, else of this one; entries in its memory."""

    lifetime: Literal["user", "courses", "static", "responses"]
    seconds: int
    hits: int
    misses: int
    rate: float | None
    entries: int


class CacheStatsOut(Out):
    """The cache of this process; `shared` tells whether there is a Valkey behind it."""

    state: Literal["operational", "degraded", "offline"]
    shared: bool
    lifetimes: list[CacheLifetime]


Samples = list[dict[str, Any]]
