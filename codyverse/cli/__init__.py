"""The commands: flask backup, badges, cache, cluster, users, content, ledger, demo, doctor, health, jobs, restore, worker, serve, stats, tokens."""

from importlib import import_module

import click
from flask import Flask
from flask.cli import AppGroup

COMMANDS = {
    "backup": "codyverse.cli.backup:backup",
    "badges": "codyverse.cli.badges:badges",
    "cache": "codyverse.cli.cache:cache",
    "cluster": "codyverse.cli.cluster:cluster",
    "content": "codyverse.cli.content:content",
    "db": "flask_migrate.cli:db",
    "demo": "codyverse.cli.demo:demo",
    "doctor": "codyverse.cli.doctor:doctor",
    "health": "codyverse.cli.site:health",
    "jobs": "codyverse.cli.jobs:jobs",
    "ledger": "codyverse.cli.ledger:ledger",
    "restore": "codyverse.cli.backup:restore",
    "serve": "codyverse.cli.serve:serve",
    "stats": "codyverse.cli.site:stats",
    "tokens": "codyverse.cli.tokens:tokens",
    "users": "codyverse.cli.lives:users",
    "worker": "codyverse.cli.jobs:worker",
}
"""Where each command is to be found."""


class _Commands(AppGroup):
    """Each is loaded when it is asked for, alone: what others bring along takes longer than most of them."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = COMMANDS.get(cmd_name)
        if where is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = where.partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})


def install(app: Flask) -> None:
    """Attach all commands."""
    app.cli = _Commands(app.cli.name, commands=app.cli.commands)
