"""Writing a course of the API as files, in the form that authors write: the way back from a document.

Whether the files say the same is not hoped for but looked at: they are read again, and compared.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from codyverse.core.errors import Conflict
from codyverse.courses.authoring.document import read_course
from codyverse.courses.authoring.files import read_content
from codyverse.courses.authoring.tree import CourseSource

_COURSE = ("key", "title", "summary", "difficulty", "skills")
_MODULE = ("key", "title", "summary")
_LESSON = ("key", "title", "summary", "goal", "difficulty", "minutes")
_PLACES = frozenset({"path", "line", "body_line", "digest", "pictures", "fences", "checks"})
"""What tells where something was read, and what follows from the texts."""
_VERBATIM = frozenset({"output"})
"""Texts whose outer blanks count."""


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks; no anchors, which authors' files do not know."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def export_course(document: Mapping[str, Any]) -> dict[str, str]:
    """The files of the course, by their path in its folder.

    Raises Invalid for a document that today's rules refuse, and Conflict when the files would not say the same.
    """
    source = read_course(document)
    written = dict(_files(document))
    if same_words(source) != same_words(_read_again(source.key, written)):
        raise Conflict(f"The course “{source.key}” cannot be written as files without changing it.")
    return written


def _files(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "course.md", _front(document, _COURSE) + _body(document.get("description"))
    for place, module in enumerate(document["modules"], 1):
        folder = f"{place:02}-{module['key']}"
        yield f"{folder}/module.md", _front(module, _MODULE)
        for number, lesson in enumerate(module["lessons"], 1):
            steps = "".join(_step(step) for step in lesson["steps"])
            yield f"{folder}/{number:02}-{lesson['key']}.md", _front(lesson, _LESSON) + steps


def _front(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return f"---\n{_yaml({name: values[name] for name in names if name in values})}---\n"


def _body(text: str | None) -> str:
    return f"\n{text.strip(chr(10))}\n" if text and text.strip() else ""


def _step(step: Mapping[str, Any]) -> str:
    parts = [
        f"\n## {step['title'].strip()} {{#{step['key'].strip()}}}\n",
        f"skills: {', '.join(step['skills'])}\n",
    ]
    parts.append(_body(step.get("body")))
    if step.get("exercise") is not None:
        inner = _yaml(step["exercise"])
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", inner)), default=0))
        parts.append(f"\n{fence}exercise\n{inner}{fence}\n")
    return "".join(parts)


def _yaml(values: Mapping[str, Any]) -> str:
    return yaml.dump(_trimmed(values), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=10_000)


def _trimmed(value: Any, name: str = "") -> Any:
    """The values as they are read: without outer blanks, without fields that hold nothing."""
    if isinstance(value, Mapping):
        return {key: _trimmed(inner, key) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_trimmed(inner, name) for inner in value]
    if isinstance(value, str) and name not in _VERBATIM:
        return value.replace("\r\n", "\n").replace("\r", "\n").strip()
    return value


def _read_again(key: str, written: Mapping[str, str]) -> CourseSource | None:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in written.items():
            path = Path(folder, key, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        found = read_content(Path(folder))
    return found.courses[0] if found.courses and not found.faults else None


def same_words(value: Any) -> Any:
    """A course without the places where it was read, to be compared with another."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: same_words(getattr(value, each.name))
            for each in fields(value)
            if each.name not in _PLACES
        }
    if isinstance(value, tuple | list):
        return [same_words(each) for each in value]
    return value
