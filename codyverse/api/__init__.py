"""The JSON face: a thin blueprint over the same services and queries as the pages. No rule lives here."""

from flask import Flask
from flask_cors import CORS

from codyverse.api import (  # noqa: F401 - importing declares their operations
    auth,
    courses,
    docs,
    game,
    notifications,
    people,
    progress,
    shop,
    site,
    steps,
    study,
    webhooks,
)
from codyverse.api.operation import bp
from codyverse.api.running import answer_fault
from codyverse.http.errors import register_face

EXPOSED = [
    "ETag",
    "Link",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Request-Id",
    "Idempotency-Replayed",
    "WWW-Authenticate",
]


def install(app: Flask) -> None:
    """Attach the operations, how they tell what failed, the documentation, and the hosts whose pages may call."""
    app.register_blueprint(bp)
    app.register_blueprint(docs.bp)
    site.install(app)
    for prefix in ("/api", "/health", "/metrics", "/cache-stats"):
        register_face(app, prefix, answer_fault)
    origins = app.extensions["settings"].cors_origins
    if origins:
        CORS(
            app,
            resources={r"/api/.*": {"origins": origins.split()}},
            supports_credentials=False,
            expose_headers=EXPOSED,
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"],
            methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
            max_age=600,
        )
