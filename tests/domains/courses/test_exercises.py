"""Exercises as learners meet them: shown without answers, answered with random ids, graded with words that help."""

from pathlib import Path
from typing import Any

import pytest

from codyverse.core.errors import Invalid, NotFound
from codyverse.courses.exercises import (
    Blank,
    ExerciseView,
    Note,
    decode,
    encode,
    grade,
    hint,
    hint_count,
    present,
)
from tests.domains.courses import samples

KEY = b"an attempt's secret"


@pytest.fixture(scope="module")
def exercises(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return samples.compiled(samples.tea(tmp_path_factory.mktemp("content")))


def by_text(view: ExerciseView) -> dict[str, str]:
    """Public ids by the words shown."""
    shown = (*view.options, *view.items, *view.lefts, *view.rights, *view.lines)
    return {option.text: option.id for option in shown}


def notes_of(exercise: dict[str, Any], given: Any) -> tuple[bool, list[str]]:
    verdict = grade(exercise, decode(exercise, KEY, given))
    return verdict.correct, [note.html for note in verdict.notes]


def test_choice(exercises: dict[str, Any]) -> None:
    exercise = exercises["choice"]
    ids = by_text(present(exercise, KEY))
    assert set(ids) == {"Hot", "Cold", "salty"}
    right = grade(exercise, decode(exercise, KEY, ids["Hot"]))
    assert right.correct
    assert right.explanation_html == "<p>Hot water it is.</p>"
    assert right.notes == (Note("Hot", "<p>Heat draws out the taste.</p>"),)
    wrong = grade(exercise, decode(exercise, KEY, ids["salty"]))
    assert not wrong.correct
    assert wrong.explanation_html == "<p>Think of the steam.</p>"
    assert wrong.notes == (Note("<code>salty</code>", "<p>Nobody likes that.</p>"),)


def test_choices(exercises: dict[str, Any]) -> None:
    exercise = exercises["choices"]
    ids = by_text(present(exercise, KEY))
    correct, notes = notes_of(exercise, [ids["Black"], ids["Green"]])
    assert correct
    assert notes == ["<p>A tea.</p>", "<p>A tea as well.</p>"]
    correct, notes = notes_of(exercise, [ids["Green"], ids["Brick dust"]])
    assert not correct
    assert notes[0] == "<p>1 of 3 are judged rightly.</p>"
    assert notes[1:] == ["<p>Not a tea at all.</p>"], "what is right is not told before it is found"


def test_the_order_of_picks_does_not_matter(exercises: dict[str, Any]) -> None:
    exercise = exercises["choices"]
    ids = by_text(present(exercise, KEY))
    one = decode(exercise, KEY, [ids["Black"], ids["Green"]])
    assert one == decode(exercise, KEY, [ids["Green"], ids["Black"]])


def test_blanks(exercises: dict[str, Any]) -> None:
    exercise = exercises["blank"]
    assert notes_of(exercise, ["3", "Thanks", "Tea"]) == (True, [])
    assert notes_of(exercise, ["2,0", " THANK  YOU ", "Tea"]) == (True, [])
    correct, notes = notes_of(exercise, ["30.0", "thanks", "tea"])
    assert not correct
    assert notes == [
        "<p>1 of 3 gaps are right: a kind word.</p>",
        "<p>It would be bitter.</p>",
        "<p>Nearly: here capital letters and spaces count too.</p>",
    ]
    assert notes_of(exercise, ["soon", "please", "x"]) == (
        False,
        ["<p>0 of 3 gaps are right.</p>", "<p>Write it as a number, such as 20 or 2.5.</p>"],
    )


def test_blanks_are_shown_with_labels_and_one_width(exercises: dict[str, Any]) -> None:
    view = present(exercises["blank"], KEY)
    gaps = [part for part in view.parts if isinstance(part, Blank)]
    assert [(gap.index, gap.label, gap.numeric) for gap in gaps] == [
        (0, "minutes", True),
        (1, "a kind word", False),
        (2, "what is printed", False),
    ]
    assert len({gap.width for gap in gaps}) == 1
    assert view.code


def test_order(exercises: dict[str, Any]) -> None:
    exercise = exercises["order"]
    ids = by_text(present(exercise, KEY))

    def answer(*words: str) -> tuple[bool, list[str]]:
        return notes_of(exercise, [ids[word] for word in words])

    assert answer("Boil", "Pour", "Wait", "Drink") == (True, [])
    assert answer("Boil", "Wait", "Pour", "Drink") == (True, [])
    assert answer("Boil", "Wait", "Drink", "Pour") == (
        False,
        ["<p>The first 2 of 4 places are right. Look at what comes after them.</p>"],
    )
    assert answer("Drink", "Wait", "Pour", "Boil") == (False, ["<p>The first place is not right yet.</p>"])
    assert "after it" in answer("Boil", "Drink", "Pour", "Wait")[1][0]


def test_match(exercises: dict[str, Any]) -> None:
    exercise = exercises["match"]
    ids = by_text(present(exercise, KEY))

    def answer(**pairs: str) -> tuple[bool, list[str]]:
        return notes_of(exercise, {ids[left]: ids[right] for left, right in pairs.items()})

    assert answer(kettle="boils", cup="holds", spoon="stirs") == (True, [])
    assert answer(kettle="boils", cup="stirs", spoon="holds") == (
        False,
        ["<p>1 of 3 pairs are right: kettle.</p>"],
    )
    assert answer(kettle="flies", cup="stirs", spoon="holds") == (False, ["<p>0 of 3 pairs are right.</p>"])


def test_match_keeps_the_left_sides_in_order(exercises: dict[str, Any]) -> None:
    assert [left.text for left in present(exercises["match"], KEY).lefts] == ["kettle", "cup", "spoon"]


PROGRAM = [
    ("cups = 0", 0),
    ('for guest in ["Ann", "Bo"]:', 0),
    ("cups = cups + 1", 1),
    ("print(guest)", 1),
    ("print(cups)", 0),
]


def build(exercise: dict[str, Any], lines: list[tuple[str, int]]) -> list[dict[str, Any]]:
    ids = by_text(present(exercise, KEY))
    return [{"id": ids[code], "indent": indent} for code, indent in lines]


def test_parsons(exercises: dict[str, Any]) -> None:
    exercise = exercises["parsons"]
    assert notes_of(exercise, build(exercise, PROGRAM)) == (True, [])
    swapped = [PROGRAM[0], PROGRAM[1], PROGRAM[3], PROGRAM[2], PROGRAM[4]]
    assert notes_of(exercise, build(exercise, swapped)) == (True, [])
    flat = [(code, 0) for code, _ in PROGRAM]
    assert notes_of(exercise, build(exercise, flat)) == (
        False,
        ["<p>The right lines in the right order. Only the indentation is not right yet.</p>"],
    )
    stranger = [PROGRAM[0], ('for guest in ["Ann", "Bo"]', 0), *PROGRAM[2:]]
    correct, notes = notes_of(exercise, build(exercise, stranger))
    assert not correct
    assert notes == [
        "<p>A colon is missing.</p>",
        "<p>The first line is right. Look at what comes after it.</p>",
        "<p>Some lines are still missing.</p>",
    ]
    short = notes_of(exercise, build(exercise, PROGRAM[:3]))
    assert "The first 3 of 5 lines are right" in short[1][0]
    assert "still missing" in short[1][1]


def test_identical_lines_may_be_swapped(tmp_path: Path) -> None:
    block = (
        samples.PARSONS.split("also:", 1)[0].replace("print(guest)", "cups = cups + 1")
        + "right: r\nwrong: w\n"
    )
    text = samples.lesson(samples.step("twice", "Build", block))
    exercise = samples.compiled(samples.tea(tmp_path, text))["parsons"]
    lines = present(exercise, KEY).lines
    same = [line.id for line in lines if line.text == "cups = cups + 1"]
    assert len(set(same)) == 2
    ids = by_text(present(exercise, KEY))
    for first, second in (same, reversed(same)):
        given = [
            {"id": ids["cups = 0"], "indent": 0},
            {"id": ids['for guest in ["Ann", "Bo"]:'], "indent": 0},
            {"id": first, "indent": 1},
            {"id": second, "indent": 1},
            {"id": ids["print(cups)"], "indent": 0},
        ]
        assert grade(exercise, decode(exercise, KEY, given)).correct


def test_hints(exercises: dict[str, Any]) -> None:
    assert hint_count(exercises["choice"]) == 2
    assert hint(exercises["choice"], 2) == "<p>Look at the <em>steam</em>.</p>"
    assert hint_count(exercises["order"]) == 0
    for number in (0, 3, -1):
        with pytest.raises(NotFound):
            hint(exercises["choice"], number)


def test_fixed_options_keep_their_order(tmp_path: Path) -> None:
    text = samples.lesson(samples.step("one", "Which?", samples.CHOICE + "fixed: true\n"))
    exercise = samples.compiled(samples.tea(tmp_path, text))["choice"]
    for key in (b"a", b"b", b"c", b"d", b"e"):
        assert [option.text for option in present(exercise, key).options] == ["Hot", "Cold", "salty"]


def test_two_exercises_of_one_attempt_share_nothing(tmp_path: Path) -> None:
    """Who has solved one order must not know the next: the parts are called alike inside, but not outside."""
    other = samples.ORDER.replace("Boil", "Mow").replace("right:", "hints: [x]\nright:")
    text = samples.lesson(samples.step("one", "?", samples.ORDER))
    first = samples.compiled(samples.tea(tmp_path / "a", text))["order"]
    second = samples.compiled(samples.tea(tmp_path / "b", text.replace(samples.ORDER, other)))["order"]
    ids = [{item.id for item in present(exercise, KEY).items} for exercise in (first, second)]
    assert not ids[0] & ids[1]


MALFORMED: list[tuple[str, Any]] = [
    ("choice", None),
    ("choice", ""),
    ("choice", "hot"),
    ("choice", ["hot"]),
    ("choice", 1),
    ("choice", {"id": "hot"}),
    ("choices", []),
    ("choices", "green"),
    ("choices", ["green"]),
    ("choices", None),
    ("blank", []),
    ("blank", ["1", "2"]),
    ("blank", ["1", "2", "3", "4"]),
    ("blank", ["1", "2", " "]),
    ("blank", ["1", "2", 3]),
    ("blank", ["1", "2", True]),
    ("blank", ["1", "2", None]),
    ("blank", ["1", "2", ["3"]]),
    ("blank", ["1", "2", "x" * 501]),
    ("blank", ["1", "2", "a\x00b"]),
    ("blank", ["1", "2", "\ud800"]),
    ("blank", "123"),
    ("blank", {"0": "1"}),
    ("order", []),
    ("order", None),
    ("order", [[]]),
    ("match", []),
    ("match", {}),
    ("match", {"a": "b"}),
    ("match", None),
    ("parsons", []),
    ("parsons", [{}]),
    ("parsons", ["p1"]),
    ("parsons", [{"id": "p1", "indent": 0}]),
    ("parsons", {"id": "p1", "indent": 0}),
]


@pytest.mark.parametrize(("kind", "given"), MALFORMED)
def test_what_is_malformed_is_refused_in_words(exercises: dict[str, Any], kind: str, given: Any) -> None:
    with pytest.raises(Invalid) as refused:
        decode(exercises[kind], KEY, given)
    (reasons,) = refused.value.fields.values()
    assert reasons[0].endswith(".")


def test_known_ids_in_wrong_numbers_are_refused(exercises: dict[str, Any]) -> None:
    ids = {kind: by_text(present(exercise, KEY)) for kind, exercise in exercises.items()}
    order, match, parsons = ids["order"], ids["match"], ids["parsons"]
    boil = order["Boil"]
    line = parsons["cups = 0"]
    refused: list[tuple[str, Any]] = [
        ("choices", [ids["choices"]["Green"]] * 2),
        ("order", [boil]),
        ("order", [boil] * 4),
        ("order", [*order.values(), boil]),
        ("match", {match["kettle"]: match["boils"]}),
        (
            "match",
            {match["kettle"]: match["boils"], match["cup"]: match["boils"], match["spoon"]: match["stirs"]},
        ),
        ("match", {match["boils"]: match["kettle"]}),
        ("match", {match["kettle"]: [match["boils"]]}),
        ("parsons", [{"id": line, "indent": 0}] * 2),
        ("parsons", [{"id": line, "indent": 5}]),
        ("parsons", [{"id": line, "indent": -1}]),
        ("parsons", [{"id": line, "indent": True}]),
        ("parsons", [{"id": line, "indent": 1.0}]),
        ("parsons", [{"id": line, "indent": 10**30}]),
        ("parsons", [{"id": line, "indent": 0, "why": "x"}]),
        ("parsons", [{"id": line}]),
    ]
    for kind, given in refused:
        with pytest.raises(Invalid):
            decode(exercises[kind], KEY, given)


def test_ids_of_another_attempt_are_refused(exercises: dict[str, Any]) -> None:
    other = by_text(present(exercises["choice"], b"another secret"))
    with pytest.raises(Invalid, match="does not belong"):
        decode(exercises["choice"], KEY, other["Hot"])


def test_answers_are_shown_again(exercises: dict[str, Any]) -> None:
    exercise = exercises["parsons"]
    given = build(exercise, PROGRAM)
    answer = decode(exercise, KEY, given)
    assert encode(exercise, KEY, answer) == given
    elsewhere = encode(exercise, b"another", answer)
    assert elsewhere != given
    assert decode(exercise, b"another", elsewhere) == answer
