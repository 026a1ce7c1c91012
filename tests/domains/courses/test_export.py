"""Courses of the API as files: read back they say the same, or nothing is written."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from codyverse.core.errors import Invalid
from codyverse.courses.authoring.document import read_course
from codyverse.courses.authoring.export import export_course, same_words
from codyverse.courses.authoring.files import read_content
from tests.domains.courses import documents, samples
from tests.domains.courses.documents import course, exercise, lesson, module, step


def written(document: dict[str, Any], folder: Path) -> Any:
    samples.write(
        folder, {f"{document['key']}/{name}": text for name, text in export_course(document).items()}
    )
    found = read_content(folder)
    assert not found.faults
    return found.courses[0]


def test_every_kind_comes_back_as_it_was(tmp_path: Path) -> None:
    document = documents.every_kind()
    assert same_words(written(document, tmp_path)) == same_words(read_course(document))


AWKWARD = {
    "colons": "Note: this: that",
    "yes": "yes",
    "number": "3.10",
    "quotes": "\"double\" and 'single'",
    "mark": "`code` first",
    "bang": "!important",
    "lines": "one\n\n- a\n- b\n\nlast",
    "fence": "```python\nprint(1)\n```\n\n```output\n1\n```",
    "hash": "a # that is no comment",
    "blanks": "  outer blanks  ",
    "trailing": "ends in a blank \nnext line",
    "crlf": "one\r\n\r\ntwo",
}


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD.keys())
def test_awkward_texts_come_back_as_they_were(text: str, tmp_path: Path) -> None:
    asked = exercise("choice") | {"right": text}
    asks = step("ask", title="Yes: no?") | {"exercise": asked}
    document = course(module(lesson(step("intro", body="First.\n\n~~~text\n## no heading {#no}\n~~~"), asks)))
    assert same_words(written(document, tmp_path)) == same_words(read_course(document))


def test_what_breaks_a_rule_is_not_written() -> None:
    with pytest.raises(Invalid):
        export_course(course(key="Not A Key"))


def test_the_front_matter_is_yaml_that_authors_know() -> None:
    front = export_course(course())["course.md"].split("---\n")[1]
    assert yaml.safe_load(front)["skills"] == {"water": "Water", "leaves": "Leaves"}
    assert "&" not in front
