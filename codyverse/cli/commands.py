"""All commands of the site."""

import click
from flask_migrate.cli import db

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

COMMANDS: tuple[click.Command, ...] = (
    backup.backup,
    backup.restore,
    badges.badges,
    cache.cache,
    cluster.cluster,
    content.content,
    db,
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
)
