"""The commands: flask backup, badges, users, content, ledger, demo, doctor, jobs, restore, worker, serve, tokens."""

from flask import Flask

from codyverse.cli import backup, badges, content, demo, doctor, jobs, ledger, serve, tokens, users


def install(app: Flask) -> None:
    """Attach all commands."""
    for command in (
        backup.backup,
        backup.restore,
        badges.badges,
        content.content,
        demo.demo,
        doctor.doctor,
        jobs.jobs,
        jobs.worker,
        ledger.ledger,
        serve.serve,
        tokens.tokens,
        users.users,
    ):
        app.cli.add_command(command)
