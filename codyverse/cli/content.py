"""flask content: check the courses in their folder; show what loading them would change; load them; write those of the API.

What reads and renders courses is imported by the commands only: a web process needs it when an author writes, and not before.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask.cli import AppGroup, ScriptInfo

from codyverse.cli.faults import speaks_plainly
from codyverse.core.database import unit_of_work

if TYPE_CHECKING:
    from codyverse.courses.authoring.files import Content
    from codyverse.courses.differences import Change

content = AppGroup(
    "content",
    help="Check the courses, show what loading them would change, load them, write those of the API as files.",
)


def _or_the_sites(context: click.Context, _parameter: click.Parameter, given: Path | None) -> Path:
    """The folder that was named, else the site's own: another one would retire all that it offers."""
    if given is not None:
        return given
    return Path(context.ensure_object(ScriptInfo).load_app().extensions["settings"].content_dir)


FOLDER = click.argument(
    "folder",
    type=click.Path(path_type=Path),
    required=False,
    callback=_or_the_sites,
    metavar="[FOLDER]",
)


def _clean(folder: Path) -> Content:
    """The courses of a folder; with any fault they are named and the command ends with 1."""
    from codyverse.courses.authoring.files import read_content
    from codyverse.courses.lint import report

    here = Path.cwd()
    shown = folder.relative_to(here) if folder.is_absolute() and folder.is_relative_to(here) else folder
    found = read_content(shown)
    if found.faults:
        click.echo(report(found))
        raise click.exceptions.Exit(1)
    return found


@content.command("lint", with_appcontext=False)
@FOLDER
def lint(folder: Path) -> None:
    """Name every fault in FOLDER (CONTENT_DIR if not given) with its file and line. Needs no database.

    \b
    Example: flask content lint ~/courses
    """
    from codyverse.courses.lint import report

    click.echo(report(_clean(folder)))


@content.command("plan")
@FOLDER
@speaks_plainly
def plan(folder: Path) -> None:
    """Show what `apply` would change, without changing it. Without FOLDER the setting CONTENT_DIR counts.

    \b
    Example: flask content plan ~/courses
    """
    from codyverse.courses import services

    found = _clean(folder)
    changes: list[Change] = []
    for place, course in enumerate(found.courses, 1):
        changes += services.plan_course(course, place)
    changes += services.plan_retirement({course.key for course in found.courses})
    _say(found, changes, "to change")


@content.command("apply")
@FOLDER
@click.option("--quiet", is_flag=True, help="Only the last line.")
@speaks_plainly
def apply(folder: Path, quiet: bool) -> None:
    """Load the courses. Keys keep everything that learners have done; a second time changes nothing.

    Without FOLDER those of the setting CONTENT_DIR. What is offered and not there any more is retired.

    With any fault in any course nothing is loaded. Each course is loaded as a whole or not at all. Courses made over the
    API stay; after an upgrade that shows texts differently they are rendered anew.

    \b
    Example: flask content apply --quiet
    """
    from codyverse.courses import editing, services

    found = _clean(folder)
    changes: list[Change] = []
    services.refuse_taken_keys([course.key for course in found.courses])
    for place, course in enumerate(found.courses, 1):
        with unit_of_work():
            changes += services.apply_course(course, place)
    with unit_of_work():
        changes += services.retire_courses({course.key for course in found.courses})
    with unit_of_work():
        again, refused = editing.render_again()
        changes += again
    for key in refused:
        click.echo(
            f"The course {key} of the API stays as it was rendered before: it breaks a rule that is new.",
            err=True,
        )
    _say(found, changes, "changed", quiet=quiet)


def _say(found: Content, changes: Iterable[Change], done: str, *, quiet: bool = False) -> None:
    from codyverse.courses.lint import summary

    visible = [change for change in changes if change.visible]
    for change in visible if not quiet else ():
        click.echo(str(change))
    click.echo(f"{summary(found)}; {len(visible) or 'nothing'} {done}")


@content.command("export")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--course", "keys", multiple=True, metavar="KEY", help="Only this course; may be repeated.")
@speaks_plainly
def export(folder: Path, keys: tuple[str, ...]) -> None:
    """Write the courses that were made over the API as files, one folder for each in FOLDER.

    Courses that are kept in files already are not written. What is there is never written over.

    \b
    Example: flask content export ~/courses --course tea
    """
    from codyverse.courses import editing
    from codyverse.courses.authoring.export import export_course

    documents = editing.documents(keys)
    there = [key for key in documents if (folder / key).exists()]
    if there:
        raise click.ClickException(
            f"{folder / there[0]} is there already: choose another folder, or move it away."
        )
    written = {key: export_course(document) for key, document in documents.items()}
    for key, files in written.items():
        for name, text in files.items():
            path = folder / key / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        click.echo(f"{folder / key}: {len(files)} files")
    if not written:
        click.echo("No course was made over the API: nothing to write.")
