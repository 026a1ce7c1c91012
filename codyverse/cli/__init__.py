"""The commands: flask badges, cache, users, content, ledger, demo, health, jobs, worker, serve, stats, tokens."""

from flask import Flask

from codyverse.cli import badges, cache, content, demo, jobs, ledger, serve, site, tokens, users


def install(app: Flask) -> None:
    """Attach all commands."""
    for command in (
        badges.badges,
        cache.cache,
        content.content,
        demo.demo,
        jobs.jobs,
        jobs.worker,
        ledger.ledger,
        serve.serve,
        site.health,
        site.stats,
        tokens.tokens,
        users.users,
    ):
        app.cli.add_command(command)
