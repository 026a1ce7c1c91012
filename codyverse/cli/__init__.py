"""The commands: flask backup, badges, cache, cluster, users, content, ledger, demo, doctor, health, jobs, restore, worker, serve, stats, tokens."""

import click
from flask import Flask
from flask.cli import AppGroup


class _Commands(AppGroup):
    """Loaded when a command is asked for: the processes that answer requests never need them, nor what they bring along."""

    _loaded = False

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._load()
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        from codyverse.cli.commands import COMMANDS

        for command in COMMANDS:
            self.add_command(command)


def install(app: Flask) -> None:
    """Attach all commands."""
    app.cli = _Commands(app.cli.name, commands=app.cli.commands)
