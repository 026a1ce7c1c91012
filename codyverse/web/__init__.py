"""The pages: parse, authorise, call a service, render."""

from flask import Flask

from codyverse.web import (
    accounts,
    admin,
    badges,
    courses,
    dashboard,
    data,
    errors,
    goals,
    leaderboard,
    ledger,
    lessons,
    mails,
    notifications,
    pages,
    passkeys,
    profiles,
    progress,
    providers,
    recovery,
    render,
    second_factor,
    security,
    shop,
    tokens,
)


def install(app: Flask) -> None:
    """Attach the pages, and how they tell what failed."""
    errors.install(app)
    render.install(app)
    for part in (
        pages,
        accounts,
        admin,
        badges,
        profiles,
        courses,
        dashboard,
        data,
        leaderboard,
        ledger,
        lessons,
        mails,
        notifications,
        passkeys,
        goals,
        progress,
        providers,
        recovery,
        second_factor,
        security,
        shop,
        tokens,
    ):
        app.register_blueprint(part.bp)
