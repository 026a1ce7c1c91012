"""`python -m codyverse.courses.lint [folder]`: check courses without a database or settings."""

import sys
from pathlib import Path

import click

from codyverse.courses.authoring.files import Content, read_content


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def summary(content: Content) -> str:
    """What was read, in a few words."""
    lessons = [lesson for course in content.courses for lesson in course.lessons]
    steps = [step for lesson in lessons for step in lesson.steps]
    asks = sum(step.exercise is not None for step in steps)
    return ", ".join(
        (
            _counted(len(content.courses), "course"),
            _counted(len(lessons), "lesson"),
            _counted(len(steps), "step"),
            _counted(asks, "exercise"),
        )
    )


def report(content: Content) -> str:
    """Every fault on a line of its own, and what was read."""
    found = len(content.faults)
    last = f"{summary(content)}: {_counted(found, 'fault') if found else 'no faults'}"
    return "\n".join([*map(str, content.faults), last])


def main(arguments: list[str]) -> int:
    """Print the report; 1 if there is a fault, else 0."""
    content = read_content(Path(arguments[0] if arguments else "content"))
    click.echo(report(content))
    return 1 if content.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
