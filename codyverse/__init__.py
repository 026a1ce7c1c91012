"""Cody Verse: a self-hosted, gamified platform on which people learn programming and AI."""

from pathlib import Path
from typing import Any

import psycopg2
from flask import Flask
from whitenoise import WhiteNoise

from codyverse import alerting, api, cli, http, web, wiring
from codyverse.accounts import passwords
from codyverse.core import cache, heartbeat, memory, replicas, resilience, statements
from codyverse.core.database import db, limit_each_transaction, stored_json
from codyverse.core.embedded import EmbeddedPostgresError, for_process
from codyverse.core.health import memory_limit_of_machine
from codyverse.core.holding import MOST_KEPT
from codyverse.core.libpq import words_for
from codyverse.core.telemetry import configure_logs
from codyverse.core.unanswered import Connections
from codyverse.http.lean import LeanCompress
from codyverse.http.pipeline import LeanFlask
from codyverse.web.assets import init_app as install_assets
from codyverse.web.painting import PaintedEnvironment
from config import ROOT, Settings, load_settings

__all__ = ["create_app"]
__version__ = "0.1.0"
YEAR = 365 * 24 * 3600


def create_app(settings: Settings | None = None) -> Flask:
    """The application, ready to serve. Connects to nothing: the database is reached (or started) at its first use."""
    settings = settings or load_settings()
    memory.give_large_blocks_back()
    app = LeanFlask(
        __name__,
        root_path=str(ROOT / "codyverse"),
        template_folder=str(ROOT / "templates"),
        static_folder=None,
    )
    app.url_map.merge_slashes = False
    app.config.update(settings.flask_config())
    app.config.update(_own_config(settings))
    app.extensions["settings"] = settings
    configure_logs(settings.log_level, settings.log_format or "text")
    passwords.configure(
        passwords.HashingCost(
            settings.argon2_time_cost, settings.argon2_memory_kib, settings.argon2_parallelism
        )
    )
    app.jinja_environment = PaintedEnvironment
    _connect(app, settings)
    cache.install(app, settings.redis_url, settings.redis_timeout_ms / 1000)
    heartbeat.install(
        app,
        every=settings.metrics_every_s,
        threads=settings.web_threads,
        pool_most=settings.pool_max + min(settings.web_threads, MOST_KEPT),
        memory_limit=settings.memory_limit_mb * 2**20 or memory_limit_of_machine(),
    )
    statements.install(app)
    replicas.install(
        app,
        settings.replicas,
        redis_url=settings.redis_url,
        redis_timeout_s=settings.redis_timeout_ms / 1000,
        statement_timeout_ms=settings.statement_timeout_ms,
        most_lag_s=settings.replica_max_lag_s,
    )
    app.extensions["migrate"] = _Migrations(app)
    LeanCompress(app)
    install_assets(app)
    app.wsgi_app = _ended_bodies(app.wsgi_app)  # type: ignore[method-assign]
    wiring.install()
    http.install(app)
    web.install(app)
    api.install(app)
    cli.install(app)
    alerting.install(app)
    _serve_static(app, settings)
    return app


class _Migrations:
    """Flask-Migrate, and with it Alembic: loaded when migrations are asked for, which processes that answer requests never do."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        from flask_migrate import Migrate

        Migrate(self._app, db, directory=str(ROOT / "migrations"), compare_type=True)
        return getattr(self._app.extensions["migrate"], name)  # by now the library's own


def _own_config(settings: Settings) -> dict[str, Any]:
    """What follows from the house's rules rather than from a setting."""
    return {
        "CODYVERSE_ENV": settings.environment,
        "CODYVERSE_VERSION": __version__,
        "WTF_CSRF_TIME_LIMIT": None,
        "PERMANENT_SESSION_LIFETIME": 90 * 24 * 3600,
        "SESSION_REFRESH_EACH_REQUEST": False,
        "COMPRESS_ALGORITHM": ["zstd", "br", "gzip"],
        "COMPRESS_BR_LEVEL": 2,  # level 4 costs 2.5 times as much for 6 % fewer bytes
        "COMPRESS_ZSTD_LEVEL": 1,  # level 3 costs half as much again for 5 % fewer bytes
        "COMPRESS_EVALUATE_CONDITIONAL_REQUEST": False,  # LeanCompress does, where something is asked
        "COMPRESS_MIN_SIZE": 1200,  # what fits into one packet gets no faster
        "COMPRESS_MIMETYPES": ["text/html", "application/json", "image/svg+xml", "text/plain"],
        "PROPAGATE_EXCEPTIONS": True if settings.environment == "testing" else None,
    }


def _connect(app: Flask, settings: Settings) -> None:
    """Point the engine at DATABASE_URL, or at the embedded PostgreSQL, which the first connection starts."""
    options = dict(app.config["SQLALCHEMY_ENGINE_OPTIONS"])
    arguments = options.pop("connect_args", {})
    breaker = resilience.install(app, settings.breaker_failures, settings.breaker_rest_s)
    connections = app.extensions["database_connections"] = Connections()
    limit = settings.statement_timeout_ms
    if settings.database_pooling == "session":
        arguments["options"] = f"-c statement_timeout={limit}"

    def connect() -> Any:
        made = psycopg2.connect(**words_for(settings.database_url or _embedded(settings), arguments))
        return connections.keep(made)

    options["json_deserializer"] = stored_json
    options["creator"] = lambda: breaker.connect(connect)
    app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql+psycopg2://"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)
    if settings.database_pooling == "transaction":
        with app.app_context():
            limit_each_transaction(db.engine, limit)


def _embedded(settings: Settings) -> str:
    """Where our own PostgreSQL answers. One that does not start is a database that is away, as any other would be."""
    try:
        return for_process(settings.data_dir).url
    except EmbeddedPostgresError as fault:
        raise psycopg2.OperationalError(str(fault)) from fault


def _ended_bodies(inner: Any) -> Any:
    """The servers in use end a body's stream where the body ends, also one that came in chunks without a length.

    Without this word Werkzeug takes such a body for none.
    """

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("HTTP_TRANSFER_ENCODING"):
            environ["wsgi.input_terminated"] = True
        return inner(environ, start_response)

    return serve


def _serve_static(app: Flask, settings: Settings) -> None:
    """The built files, compressed at build time; their names carry a hash of their content, so they never change."""
    folder = Path(ROOT, "static", "dist")
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=folder if folder.is_dir() else None,
        prefix="static/dist/",
        max_age=YEAR,
        immutable_file_test=lambda _path, url: not url.endswith(("manifest.json", ".ico")),
        allow_all_origins=False,
        autorefresh=settings.environment == "development",
    )
    if settings.proxy_hops:
        from werkzeug.middleware.proxy_fix import ProxyFix

        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
