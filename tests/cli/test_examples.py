"""Every command of ours shows in its help how it is typed."""

import re
from collections.abc import Iterator

import click
import pytest
from flask import Flask

from codyverse import create_app
from tests.conftest import settings_for


def leaves(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, *path, name)
        else:
            yield " ".join((*path, name)), command


@pytest.fixture(scope="module")
def bare() -> Flask:
    return create_app(settings_for("postgresql://nobody@127.0.0.1:9/none"))


def test_every_help_has_an_example(bare: Flask) -> None:
    ours = {name: each for name, each in leaves(bare.cli) if not name.startswith("db ")}
    assert {"backup", "users activate", "cluster up", "content export"} <= set(ours)
    without = [
        name
        for name, command in ours.items()
        if not re.search(rf"^  Example: .*\bflask {name}\b", helped(command, name), re.MULTILINE)
    ]
    assert without == []


def helped(command: click.Command, name: str) -> str:
    return command.get_help(click.Context(command, info_name=name, terminal_width=100, max_content_width=100))
