"""The pages: parse, authorise, call a service, render."""

from flask import Flask

from codyverse.web import (
    access,
    accounts,
    courses,
    dashboard,
    errors,
    ledger,
    lessons,
    limits,
    pages,
    requests,
    security,
)


def install(app: Flask) -> None:
    """Attach hooks and pages. The order of the hooks counts: identity of the request, refusals, limits, access."""
    requests.install(app)
    security.install(app)
    limits.install(app)
    access.install(app)
    errors.install(app)
    for part in (pages, accounts, courses, dashboard, ledger, lessons):
        app.register_blueprint(part.bp)
