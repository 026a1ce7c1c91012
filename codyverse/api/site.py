"""For those who watch the site: /health, /metrics, /cache-stats. They answer without an envelope, as watchers expect."""

from functools import lru_cache
from ipaddress import ip_address, ip_network

import orjson
from flask import Blueprint, Flask, Response, current_app, request
from pydantic import BaseModel

from codyverse.api import envelope
from codyverse.api.schemas.site import CacheLifetime, CacheStatsOut, HealthDetails, HealthOut, ReplicaOut
from codyverse.core import cache, heartbeat, metrics, replicas
from codyverse.core.errors import NotAllowed, NotSignedIn
from codyverse.core.health import Health, Monitor
from codyverse.core.replicas import ReplicaNow
from codyverse.core.resilience import Breaker, is_unconfirmed
from codyverse.http.access import access, bearer, principal, principal_or_none
from codyverse.http.away import opens_while_away
from codyverse.http.limits import exempt

bp = Blueprint("site", __name__)


def _json(told: BaseModel, status: int = 200) -> Response:
    return _sent(told.model_dump_json(by_alias=True, exclude_none=True), status)


def _sent(body: str, status: int) -> Response:
    return Response(body, status, content_type=envelope.JSON, headers={"Cache-Control": "no-store"})


@bp.get("/health")
@exempt
@opens_while_away()
@access("anyone", takes_token=True)
def health() -> Response:
    """Four words for all, from memory; figures besides for operators. 503 when critical."""
    monitor: Monitor = current_app.extensions["health"]
    found = monitor.current()
    details = None
    if _is_operators():
        details = HealthDetails(
            database_ms=found.database_ms,
            memory_bytes=found.memory_bytes,
            memory_limit=found.memory_limit,
            pool=found.pool,
            replicas=[_replica(each) for each in found.replicas],
            version=current_app.config["CODYVERSE_VERSION"],
        )
    body = _said(found, monitor.uptime) if details is None else _words(found, monitor.uptime, details)
    return _sent(body, 503 if found.overall == "critical" else 200)


def _is_operators() -> bool:
    """Whether an operator's token asks. While the database is away nobody can tell, and it hears what all do."""
    if bearer() is None or (principal_or_none() is None and is_unconfirmed()):
        return False
    return principal().role == "operator"


def _words(found: Health, uptime: int, details: HealthDetails | None) -> str:
    told = HealthOut(
        overall=found.overall,
        database=found.database,
        memory=found.memory,
        cache=found.cache,
        checked_at=found.checked_at,
        uptime=uptime,
        details=details,
    )
    return told.model_dump_json(by_alias=True, exclude_none=True)


def _replica(each: ReplicaNow) -> ReplicaOut:
    return ReplicaOut(name=each.name, state=each.state, lag_seconds=each.lag, fault=each.fault or None)


@lru_cache(4)
def _said(found: Health, uptime: int) -> str:
    """What everybody is told, in the same words until there is something new to tell."""
    return _words(found, uptime, None)


def _watchers_only() -> None:
    """An operator's token with the scope admin, or an address that the settings name."""
    if bearer() is not None:
        acting = principal()
        if acting.role == "operator" and "admin" in (acting.scopes or ()):
            return
        raise NotAllowed("This needs an operator's token with the scope admin.")
    networks = current_app.extensions["settings"].metrics_networks.split()
    address = ip_address((request.remote_addr or "0.0.0.0").partition("%")[0])  # noqa: S104 - nobody's address
    if any(address in ip_network(each) for each in networks):
        return
    if (who := principal_or_none()) is None:
        raise NotSignedIn("This needs an operator's token, or an address that METRICS_NETWORKS names.")
    if who.role != "operator":
        raise NotAllowed("This is for operators.")


@bp.get("/metrics")
@exempt
@access("anyone", takes_token=True)
def show_metrics() -> Response:
    """In Prometheus' text format, or as JSON for those who ask for it."""
    _watchers_only()
    if request.accept_mimetypes.best_match([metrics.TEXT, "text/plain", envelope.JSON]) == envelope.JSON:
        response = Response(orjson.dumps(metrics.as_json()), content_type=envelope.JSON)
    else:
        response = Response(metrics.as_text(), content_type=metrics.TEXT)
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept")
    return response


@bp.get("/cache-stats")
@exempt
@access("anyone", takes_token=True)
def cache_stats() -> Response:
    """Hits, misses, rate and size of each lifetime."""
    _watchers_only()
    levels = cache.levels()
    lifetimes = [CacheLifetime.model_validate(each) for each in cache.stats()]
    return _json(CacheStatsOut(state=levels.state(), shared=levels.far is not None, lifetimes=lifetimes))


def _replicas_of(app: Flask) -> tuple[ReplicaNow, ...]:
    """Those that this process reads from: only web processes do."""
    found = replicas.replicas(app)
    return found.now() if found and heartbeat.of(app).kind == "web" else ()


def install(app: Flask) -> None:
    """Attach the routes and the background look at the site's health."""
    settings = app.extensions["settings"]
    breaker: Breaker = app.extensions["database_breaker"]
    monitor = Monitor(
        app,
        settings.health_every_s,
        settings.memory_limit_mb * 2**20,
        cache.levels(app).state,
        lambda: _replicas_of(app),
        connections=app.extensions["database_connections"],
        hangs=breaker.open,
    )
    app.extensions["health"] = monitor
    breaker.changed.append(lambda _state: monitor.wake())
    app.register_blueprint(bp)
