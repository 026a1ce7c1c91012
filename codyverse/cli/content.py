"""flask content: check the courses in their folder; show what loading them would change; load them."""

from pathlib import Path

import click
from flask.cli import AppGroup

from codyverse.courses.authoring.files import Content, read_content
from codyverse.courses.lint import summary

content = AppGroup("content", help="Check the courses, show what loading them would change, load them.")
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "content"
FOLDER = click.argument("folder", type=click.Path(path_type=Path), default=DEFAULT_FOLDER, required=False)


def _shown(folder: Path) -> Path:
    """The folder as somebody in the checkout would type it, so that faults can be clicked."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_absolute() and folder.is_relative_to(here) else folder


def _clean(folder: Path) -> Content:
    """The courses of a folder; with any fault they are printed and the command ends with 1."""
    found = read_content(_shown(folder))
    for fault in found.faults:
        click.echo(str(fault))
    if found.faults:
        count = len(found.faults)
        raise click.ClickException(f"{count} fault{'s' * (count != 1)} in {_shown(folder)}.")
    return found


@content.command("lint", with_appcontext=False)
@FOLDER
def lint(folder: Path) -> None:
    """Name every fault with its file and line. Needs no database."""
    click.echo(f"{summary(_clean(folder))}: no faults")
