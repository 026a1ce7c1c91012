"""The commands: flask badges, cache, cluster, users, content, ledger, demo, jobs, worker, serve, tokens."""

from flask import Flask

from codyverse.cli import badges, cache, cluster, content, demo, jobs, ledger, serve, tokens, users


def install(app: Flask) -> None:
    """Attach all commands."""
    for command in (
        badges.badges,
        cache.cache,
        cluster.cluster,
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
