"""The commands: flask backup, badges, cache, cluster, users, content, ledger, demo, doctor, health, jobs, restore, worker, serve, stats, tokens."""

from flask import Flask

from codyverse.cli import (
    backup,
    badges,
    cache,
    cluster,
    content,
    demo,
    doctor,
    jobs,
    ledger,
    lives,  # noqa: F401 - importing adds to `flask users`
    serve,
    site,
    tokens,
    users,
)


def install(app: Flask) -> None:
    """Attach all commands."""
    for command in (
        backup.backup,
        backup.restore,
        badges.badges,
        cache.cache,
        cluster.cluster,
        content.content,
        demo.demo,
        doctor.doctor,
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
