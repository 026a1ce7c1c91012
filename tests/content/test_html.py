"""Every step of every lesson is valid HTML, its options inside the labels and buttons that pages put around them."""

import json
import subprocess
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from codyverse.courses.compiling import compile_step
from codyverse.courses.exercises import present
from tests.content.reading import FOLDER, content

VNU = FOLDER.parent / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
PAGE = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title></head><body><main>'


def shown(exercise: dict[str, Any]) -> Iterator[str]:
    """All HTML that an exercise can bring to a page."""
    view = present(exercise, b"a secret")
    for option in (*view.options, *view.items, *view.lefts, *view.rights, *view.lines):
        yield f'<p><label><input type="checkbox"> {option.html}</label><button>{option.html}</button></p>'
    yield "".join(part if isinstance(part, str) else '<input aria-label="gap">' for part in view.parts)
    yield from (exercise["right"], exercise["wrong"], *exercise["hints"])
    for part in (*exercise.get("options", ()), *exercise.get("lines", ())):
        yield part["why"] or ""
    for gap in exercise.get("blanks", ()):
        yield from (mistake["why"] for mistake in gap["mistakes"])


def test_every_lesson_is_valid_html(tmp_path: Path) -> None:
    lessons = [lesson for course in content().courses for lesson in course.lessons]
    for number, lesson in enumerate(lessons):
        compiled = [compile_step(step, lesson) for step in lesson.steps]
        parts = [
            f"<h2>{escape(step.title)}</h2>{step.body_html}{''.join(shown(step.exercise) if step.exercise else ())}"
            for step in compiled
        ]
        (tmp_path / f"{number:03}.html").write_text(f"{PAGE}<h1>t</h1>{''.join(parts)}</main></body></html>")
    command = ["java", "-Xss8m", "-jar", str(VNU), "--format", "json", "--stdout", "--exit-zero-always"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=True)
    found = [
        f"{lessons[int(Path(each['url']).stem)].path}: {each['message']} … {each.get('extract', '')[:120]}"
        for each in json.loads(done.stdout)["messages"]
    ]
    assert found == []
