"""`python -m codyverse.courses.lint [folder]`: check courses without a database or settings."""

import sys
from pathlib import Path

import click

from codyverse.courses.authoring.files import Content, read_content


def summary(content: Content) -> str:
    """One line that says what was read."""
    lessons = [lesson for course in content.courses for lesson in course.lessons]
    steps = [step for lesson in lessons for step in lesson.steps]
    asks = sum(step.exercise is not None for step in steps)
    return f"{len(content.courses)} courses, {len(lessons)} lessons, {len(steps)} steps, {asks} exercises"


def main(arguments: list[str]) -> int:
    """Print every fault and a summary; 1 if there is a fault, else 0."""
    content = read_content(Path(arguments[0] if arguments else "content"))
    for fault in content.faults:
        click.echo(str(fault))
    found = len(content.faults)
    click.echo(
        f"{summary(content)}: {found} fault{'s' * (found != 1)}"
        if found
        else f"{summary(content)}: no faults"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
