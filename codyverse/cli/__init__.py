"""The commands: flask users, content, ledger, demo, serve."""

from flask import Flask

from codyverse.cli import users


def install(app: Flask) -> None:
    """Attach all commands."""
    app.cli.add_command(users.users)
