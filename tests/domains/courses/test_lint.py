"""Every rule of docs/authoring.md: what breaks it is named with its file and line, and all at once."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codyverse.courses.authoring.files import read_content
from codyverse.courses.authoring.lesson_parser import LessonParser
from codyverse.courses.authoring.nodes import read_mapping
from codyverse.courses.authoring.tree import Faults
from codyverse.courses.compiling import compile_step
from codyverse.courses.lint import main
from tests.domains.courses import samples
from tests.domains.courses.samples import BLOCKS, COURSE, MODULE, PICTURE, faults_of, lesson, step, tea, write

LESSON = "tea/01-basics/01-first-cup.md"


def test_a_course_without_faults(tmp_path: Path) -> None:
    (course,) = samples.courses(tea(tmp_path))
    assert [each.key for each in course.lessons[0].steps] == ["intro", *BLOCKS]
    assert course.skills == {"water": "Water", "leaves": "Leaves"}
    assert course.lessons[0].steps[1].exercise.body.options[0].correct


def changed(kind: str, old: str, new: str, count: int = 1) -> str:
    block = BLOCKS[kind]
    assert old in block
    return lesson(step("asks", "Which one?", block.replace(old, new, count)))


BEFORE_BLOCK = 15
EXERCISE_FAULTS: list[tuple[str, str, str, int, str]] = [
    ("choice", "kind: choice", "kind: chioce", 1, "the kind `chioce` is unknown"),
    ("choice", "level: 1", "level: 6", 2, "whole number from 1 to 5"),
    ("choice", "level: 1", "level: high", 2, "whole number from 1 to 5"),
    ("choice", "level: 1\n", "", 1, "`level` is missing"),
    ("choice", "level: 1", "levl: 1", 2, "did you mean `level`?"),
    ("choice", "right: Hot", "right: a: Hot", 14, "must stand in quotes"),
    ("choice", "right: Hot water it is.", "right:", 14, "`right` is empty"),
    ("choice", "correct: true", "correct: yes", 6, "must be true or false"),
    ("choice", "    correct: true\n", "", 1, "a choice has exactly one"),
    ("choice", "text: Cold", "text: Cold\n    correct: true", 1, "several: `kind: choices`"),
    ("choice", "    why: Heat draws out the taste.\n", "", 4, "option 1: `why` is missing"),
    ("choice", "id: cold", "id: hot", 8, "the id is the same as that of option 1"),
    ("choice", "text: Cold", "text: Hot", 8, "the text is the same"),
    ("choice", "id: cold", "id: Cold!", 8, "cannot be a key"),
    ("choice", "text: Cold", "text: '- a list'", 9, "no lists"),
    ("choice", "text: Cold", "text: '[a](https://b.org)'", 9, "no links here"),
    ("choice", "text: Cold", "text: '<b>Cold</b>'", 9, "HTML is not allowed"),
    ("choice", "text: Cold", "text: '![x](img/x.svg)'", 9, "pictures may stand only in a step's text"),
    ("choice", "text: Cold", "text: {a: b}", 9, "must be a text"),
    ("choice", "right: Hot", "right: Hot\nright: Hot", 15, "a second time"),
    ("choice", "  - What", "  - a\n  - b\n  - What", 17, "there must be 0 to 3"),
    ("choice", "hints:", "predicts: true\nhints:", 1, "needs a `python` fence"),
    ("choice", "hints:", "checks: [1 +]\nhints:", 16, "not a Python expression"),
    ("choice", "hints:", "checks: &a [1]\nhints:", 16, "anchors and aliases"),
    ("choice", "hints:", "fixed: !!python/name:os.system x\nhints:", 16, "begins with `!`"),
    ("choice", "right: Hot water it is.", "right: |\n  One.\n\n  ## Two", 17, "no headings here"),
    ("choices", "kind: choices", "kind: choice", 1, "several: `kind: choices`"),
    ("choices", "text: Brick dust", "text: Brick dust\n    correct: true", 1, "at least one must be wrong"),
    ("blank", "then say [[2]]", "then say", 3, "each once, in this order"),
    ("blank", "[[2]]", "[[4]]", 3, "each once, in this order"),
    ("blank", "number: 2.5", "number: about 2", 11, "such as 20 or 2.5"),
    ("blank", "number: 2.5", "number: 2e9999999", 11, "such as 20 or 2.5"),
    ("blank", "tolerance: 0.5", "tolerance: -1", 10, "must not be negative"),
    ("blank", "['30', 'half an hour']", "['3']", 10, "also accepted as right"),
    ("blank", "    accept: [thank you, thanks]\n", "", 16, "`accept: [...]`"),
    (
        "blank",
        "    accept: [thank you, thanks]",
        "    accept: [thanks]\n    tolerance: 1",
        16,
        "needs a `number`",
    ),
    ("blank", "label: a kind word", "label: the word thanks or so", 16, "gives the answer `thanks` away"),
    ("order", "items: [Boil, Pour, Wait, Drink]", "items: [Boil, Pour]", 3, "there must be 3 to 10"),
    ("order", "[Boil, Pour, Wait, Drink]", "[Boil, Boil, Wait, Drink]", 3, "nobody can tell them apart"),
    ("order", "[[1, 3, 2, 4]]", "[[1, 3, 3, 4]]", 4, "every item's number once"),
    ("order", "[[1, 3, 2, 4]]", "[[1, 2, 3, 4]]", 1, "the order in which the items are listed"),
    ("match", "[cup, holds]", "[cup, holds, falls]", 5, "a pair is a list of two texts"),
    ("match", "[cup, holds]", "[cup, boils]", 5, "nobody can tell them apart"),
    ("match", "[flies]", "[boils]", 7, "nobody can tell them apart"),
    ("parsons", "      print(guest)", "     print(guest)", 8, "use 4 per level"),
    ("parsons", "      cups = cups + 1", "  cups = cups + 1", 7, "not valid Python"),
    ("parsons", "    print(cups)", "    print(cup)", 11, "exactly the lines of the solution"),
    ("parsons", 'code: for guest in ["Ann", "Bo"]', "code: print(guest)", 18, "is part of the solution"),
    ("parsons", "language: python", "language: pyhton", 1, "did you mean `python`?"),
]


@pytest.mark.parametrize("case", EXERCISE_FAULTS, ids=lambda case: f"{case[0]}: {case[4]}")
def test_faults_of_an_exercise(tmp_path: Path, case: tuple[str, str, str, int, str]) -> None:
    kind, old, new, line_of_block, message = case
    found = faults_of(tea(tmp_path, changed(kind, old, new)))
    place = f"{LESSON}:{BEFORE_BLOCK + line_of_block}: "
    assert any(fault.startswith(place) and message in fault for fault in found), found


STEP_FAULTS = [
    ("## No key\nskills: water\n\ntext\n", 10, "ends in its key"),
    ("## T {#Bad Key}\nskills: water\n\ntext\n", 10, "cannot be a key"),
    ("## T `x` {#key}\nskills: water\n\ntext\n", 10, "a title is plain text"),
    (step("one", "text") + step("one", "text"), 14, "stands on line 10 already"),
    ("## T {#key}\n\ntext\n", 11, "names its skills"),
    (step("one", "text", skills="watr"), 11, "did you mean `water`?"),
    (step("one", "text", skills="water, water"), 11, "is named twice"),
    (step("one", ""), 10, "the step is empty"),
    (step("one", "", BLOCKS["choice"]), 10, "the question is missing"),
    (step("one", "text\n\n# Big"), 15, "headings begin with `###`"),
    (step("one", "text\n\nBig\n---"), 15, "headings begin with `###`"),
    (step("one", "text\n\n#### Small"), 15, "skips a level"),
    (step("one", "text <b>x</b>"), 13, "HTML is not allowed"),
    (step("one", "text\n\n<script>x</script>"), 15, "HTML is not allowed"),
    (step("one", "text [x](javascript:alert)"), 13, "is not understood"),
    (step("one", "text [x](other.md)"), 13, "must begin with https://"),
    (step("one", "text [x](//evil.example)"), 13, "must begin with https://"),
    (step("one", "text [x](ftp://a.b)"), 13, "must begin with https://"),
    (step("one", "text\n\n    indented"), 15, "becomes code"),
    (step("one", "```pyton\nx\n```"), 13, "did you mean `python`?"),
    (step("one", "```python fast\nx\n```"), 13, "may follow one of"),
    (step("one", "```python\nprint(\n```"), 14, "not valid Python"),
    (step("one", "```python\nx = 1\n"), 13, "never closed"),
    (step("one", "```output\nx\n```"), 13, "directly after a `python` fence"),
    (step("one", "```stdin\nx\n```"), 13, "directly before a `python` fence"),
    (step("one", "```python error\nx\n```"), 13, "needs an `output` fence"),
    (step("one", "text\n\n <!-- check: 2 + -->"), 15, "not a Python expression"),
    (step("one", "text <!-- checks 2 -->"), 13, "a check is written"),
    (step("one", "text [[1]]"), 13, "marks a gap"),
    (step("one", "![](img/kettle.svg)"), 13, "has no text alternative"),
    (step("one", "text ![x](img/kettle.svg)"), 13, "paragraph of its own"),
    (step("one", "![x](img/ketle.svg)"), 13, "did you mean `img/kettle.svg`?"),
    (step("one", "![x](https://a.b/c.png)"), 13, "must be an own drawing"),
    (step("one", "![x](../img/kettle.svg)"), 13, "must be an own drawing"),
    (step("one", "text", BLOCKS["order"]) + "\nafter\n", 24, "ends a step"),
    (step("one", "text", BLOCKS["order"]) + f"\n```exercise\n{BLOCKS['order']}```\n", 24, "one exercise"),
    (step("one", "text") + "\n```exercise\nkind: order\n", 15, "never closed"),
    (step("one", "text") + "\n```exercise\nkind: order\n\n" + step("two", "text"), 15, "never closed"),
    (step("one", "text") + "\n  ```exercise\n  kind: order\n  ```\n", 15, "at the left edge"),
    ("stray\n\n" + step("one", "text"), 10, "shown nowhere"),
    ("", 9, "at least one step"),
]


@pytest.mark.parametrize(("text", "line", "message"), STEP_FAULTS)
def test_faults_of_a_step(tmp_path: Path, text: str, line: int, message: str) -> None:
    used = step("uses-it", "![A kettle](img/kettle.svg)")
    both = {"tea/01-basics/img/kettle.svg": PICTURE, "tea/01-basics/02-b.md": lesson(used, key="b")}
    found = faults_of(write(tea(tmp_path, lesson(text)), both))
    assert any(fault.startswith(f"{LESSON}:{line}: ") and message in fault for fault in found), found


def test_an_exercise_needs_a_right_answer(tmp_path: Path) -> None:
    for kind in ("choice", "choices"):
        block = BLOCKS[kind].replace("    correct: true\n", "")
        (found,) = faults_of(tea(tmp_path, lesson(step("one", "Which?", block))))
        assert "`correct: true`" in found


def test_headings_inside_code_are_no_steps(tmp_path: Path) -> None:
    text = lesson(step("one", "```python\n## not a step {#x}\n```\n\n~~~text\n```\n## nor this\n~~~"))
    (course,) = samples.courses(tea(tmp_path, text))
    assert [each.key for each in course.lessons[0].steps] == ["one"]


@pytest.mark.parametrize(
    ("course", "line", "message"),
    [
        ("no front matter", 1, "must begin with front matter"),
        ("---\nkey: tea\n", 1, "never closed"),
        ("---\n- a\n---\n", 2, "lines `name: value`"),
        (COURSE.replace("beginner", "easy"), 5, "one of beginner, intermediate, advanced"),
        (COURSE.replace("From the kettle", "x" * 200), 4, "shorten it to 200"),
        (COURSE.replace("summary: From", "summary: a: From"), 4, "must stand in quotes"),
        (COURSE.replace("  water: Water", "  Wa ter: Water"), 7, "cannot be a key"),
        (COURSE.replace("  water: Water\n  leaves: Leaves\n", ""), 6, "`skills` is empty"),
        (COURSE.replace("skills:\n  water: Water\n  leaves: Leaves", "skills: [water]"), 6, "`key: Name`"),
        (COURSE + "\n# Big\n", 12, "no headings"),
        (COURSE.replace("key: tea", "\tkey: tea"), 2, "tab"),
        (COURSE.replace("key: tea", "key: " + "[" * 50), 2, ""),
        (COURSE.replace("title: Making tea", "title: >-\n  a\n  b\nnew: x"), 6, "is not a field"),
    ],
)
def test_faults_of_a_course(tmp_path: Path, course: str, line: int, message: str) -> None:
    found = faults_of(tea(tmp_path, course=course))
    assert any(fault.startswith(f"tea/course.md:{line}: ") and message in fault for fault in found), found


def test_keys_are_unique(tmp_path: Path) -> None:
    files = {
        "tea/02-more/module.md": MODULE,
        "tea/02-more/01-again.md": lesson(step("one", "text")),
        "tee/course.md": COURSE,
        "tee/01/module.md": MODULE,
        "tee/01/01.md": lesson(step("one", "text")),
    }
    found = faults_of(write(tea(tmp_path), files))
    assert [fault.split(": ", 1)[0] for fault in found] == [
        "tea/02-more/01-again.md:1",
        "tea/02-more/module.md:1",
        "tee/course.md:1",
    ]
    assert all("must be unique" in fault for fault in found)


def test_all_faults_in_one_go(tmp_path: Path) -> None:
    text = lesson(
        step("one", "![](img/none.svg)\n\n<i>x</i>", BLOCKS["choice"].replace("level: 1", "level: 9")),
        minutes=99,
    )
    found = faults_of(tea(tmp_path, text, module=MODULE.replace("title", "tilte")))
    assert len(found) >= 6, found


def test_a_broken_course_file_hides_no_other_faults(tmp_path: Path) -> None:
    found = faults_of(tea(tmp_path, lesson(step("one", "<b>x</b>")), course="no front matter"))
    assert [fault.split(": ", 1)[0] for fault in found] == [f"{LESSON}:13", f"{LESSON}:13", "tea/course.md:1"]


@pytest.mark.parametrize(
    ("raw", "line", "message"),
    [
        (b"---\nkey: \xff\n", 2, "not UTF-8"),
        (b"---\nkey: a\x00b\n---\n", 2, "character without meaning"),
        ("---\nkey: a\ue001b\n---\n".encode(), 2, "character without meaning"),
        (b"x" * 300_000, 1, "split it"),
        (b"", 1, "must begin with front matter"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, raw: bytes, line: int, message: str) -> None:
    found = faults_of(write(tea(tmp_path), {LESSON: raw}))
    assert any(fault.startswith(f"{LESSON}:{line}: ") and message in fault for fault in found), found


def test_marks_of_other_systems_are_no_faults(tmp_path: Path) -> None:
    text = "\ufeff" + samples.every_kind().replace("\n", "\r\n")
    plain = samples.courses(tea(tmp_path / "a"))[0].lessons[0]
    other = samples.courses(tea(tmp_path / "b", text))[0].lessons[0]
    assert [each.body for each in other.steps] == [each.body for each in plain.steps]


def test_folders_that_are_no_courses(tmp_path: Path) -> None:
    assert "cannot be read" in faults_of(tmp_path / "nowhere")[0]
    assert "no course here" in faults_of(tmp_path)[0]
    write(tmp_path, {"file.md": "x"})
    assert "cannot be read" in faults_of(tmp_path / "file.md")[0]
    (tmp_path / "empty").mkdir()
    assert "no course.md" in faults_of(tmp_path)[0]


def test_files_that_nobody_reads(tmp_path: Path) -> None:
    extra = {
        "tea/notes.txt": "x",
        "tea/01-basics/old.txt": "x",
        "tea/01-basics/img/photo.png": "x",
        "tea/01-basics/img/unused.svg": PICTURE,
        "tea/02-empty/lesson.md": lesson(step("one", "text"), key="x"),
        "tea/.hidden": "x",
    }
    found = "\n".join(faults_of(write(tea(tmp_path), extra)))
    for name in (
        "notes.txt",
        "old.txt",
        "photo.png",
        "unused.svg",
        "02-empty:1: this folder has no module.md",
    ):
        assert name in found
    assert ".hidden" not in found


def test_links_to_other_places_are_refused(tmp_path: Path) -> None:
    secret = write(tmp_path / "outside", {"secret.md": lesson(step("one", "secret"), key="secret")})
    tea(tmp_path / "content")
    (tmp_path / "content/tea/01-basics/02-link.md").symlink_to(secret / "secret.md")
    (tmp_path / "content/tea/01-basics/img").symlink_to(secret)
    found = faults_of(tmp_path / "content")
    assert len(found) == 2
    assert all("a link to another place" in fault for fault in found)


def test_command_without_an_application(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tea(tmp_path))]) == 0
    assert "1 course, 1 lesson, 7 steps, 6 exercises: no faults" in capsys.readouterr().out
    assert main([str(tea(tmp_path, lesson()))]) == 1
    assert ":9: a lesson has at least one step" in capsys.readouterr().out


def mutated(text: str) -> st.SearchStrategy[str]:
    """A text with a few pieces taken out, doubled, or replaced by marks that mean something."""
    pieces = st.sampled_from(
        [
            "`",
            "```",
            "~~~",
            "[[1]]",
            "<",
            "- ",
            ": ",
            "#",
            "\t",
            "\n",
            "'",
            '"',
            "---\n",
            "{#x}",
            "|",
            "&a",
            "![",
            "",
        ]
    )
    edit = st.tuples(st.integers(0, len(text)), st.integers(0, 12), pieces)

    def apply(edits: list[tuple[int, int, str]]) -> str:
        found = text
        for start, length, piece in edits:
            found = found[:start] + piece + found[start + length :]
        return found

    return st.lists(edit, min_size=1, max_size=4).map(apply)


@settings(max_examples=150, deadline=None)
@given(mutated(samples.every_kind()))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    """Faults or not: whatever an author's file looks like, reading it comes to an end."""
    faults = Faults()
    parsed = LessonParser("x.md", {"water": "Water"}, faults).parse(text)
    if parsed and not faults.found:
        for each in parsed.steps:
            compile_step(each, parsed)
    assert all(1 <= fault.line <= text.count("\n") + 2 for fault in faults.found)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:- \n\t'\"[]{}|>&*!%@`#,~")))
def test_no_yaml_makes_the_parser_fail(text: str) -> None:
    read_mapping(text, 1, "x.md", Faults(), "it")


def test_deep_and_long_yaml_is_refused_quickly(tmp_path: Path) -> None:
    deep = "kind: order\nitems: " + "[" * 5000
    long = "kind: order\nitems:\n" + "  - x\n" * 6000
    for block in (deep, long):
        assert faults_of(tea(tmp_path, lesson(step("one", "text", block + "\n"))))


def test_easier_courses_come_first(tmp_path: Path) -> None:
    hard = COURSE.replace("key: tea", "key: coffee").replace("beginner", "advanced")
    files = {
        "coffee/course.md": hard,
        "coffee/m/module.md": MODULE,
        "coffee/m/a.md": lesson(step("one", "text")),
    }
    assert [course.key for course in read_content(write(tea(tmp_path), files)).courses] == ["tea", "coffee"]
