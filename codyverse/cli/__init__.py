"""The commands: flask badges, users, content, ledger, demo, jobs, worker, serve, tokens."""

from flask import Flask

from codyverse.cli import (
    badges,
    content,
    demo,
    jobs,
    ledger,
    lives,  # noqa: F401 - importing adds to `flask users`
    serve,
    tokens,
    users,
)


def install(app: Flask) -> None:
    """Attach all commands."""
    for command in (
        badges.badges,
        content.content,
        demo.demo,
        jobs.jobs,
        jobs.worker,
        ledger.ledger,
        serve.serve,
        tokens.tokens,
        users.users,
    ):
        app.cli.add_command(command)
