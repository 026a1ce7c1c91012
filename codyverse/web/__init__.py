"""The pages: parse, authorise, call a service, render."""

from flask import Flask

from codyverse.web import (
    access,
    accounts,
    badges,
    courses,
    dashboard,
    errors,
    goals,
    leaderboard,
    ledger,
    lessons,
    limits,
    mails,
    notifications,
    pages,
    profiles,
    progress,
    render,
    requests,
    security,
    shop,
)


def install(app: Flask) -> None:
    """Attach hooks and pages. The order of the hooks counts: identity of the request, refusals, limits, access."""
    requests.install(app)
    security.install(app)
    limits.install(app)
    access.install(app)
    errors.install(app)
    render.install(app)
    for part in (
        pages,
        accounts,
        badges,
        profiles,
        courses,
        dashboard,
        leaderboard,
        ledger,
        lessons,
        mails,
        notifications,
        goals,
        progress,
        shop,
    ):
        app.register_blueprint(part.bp)
