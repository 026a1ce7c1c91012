"""What holds for every exercise, every secret and whatever is sent."""

import dataclasses
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from codyverse.core.errors import Invalid
from codyverse.courses.exercises import decode, encode, grade, present
from tests.domains.courses import samples

with TemporaryDirectory() as folder:
    EXERCISES = samples.compiled(samples.tea(Path(folder)))

exercises = st.sampled_from(list(EXERCISES.values()))
keys = st.binary(min_size=8, max_size=32)


def names(parts: list[dict[str, Any]]) -> list[str]:
    return [part["id"] for part in parts]


@st.composite
def answers(draw: st.DrawFn, exercise: dict[str, Any]) -> dict[str, Any]:
    """Any answer that could be kept, right or wrong."""
    kind = exercise["kind"]
    if kind == "choice":
        return {"picked": draw(st.sampled_from(names(exercise["options"])))}
    if kind == "choices":
        all_names = names(exercise["options"])
        picked = draw(st.sets(st.sampled_from(all_names), min_size=1))
        return {"picked": [name for name in all_names if name in picked]}
    if kind == "blank":
        typed = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30).filter(str.strip)
        return {"texts": draw(st.lists(typed, min_size=3, max_size=3))}
    if kind == "order":
        return {"order": draw(st.permutations(names(exercise["items"])))}
    if kind == "match":
        rights = draw(st.permutations(names(exercise["rights"])))
        return {"pairs": dict(zip(names(exercise["lefts"]), rights, strict=False))}
    lines = draw(st.lists(st.sampled_from(names(exercise["lines"])), unique=True, min_size=1))
    return {"lines": [{"line": name, "indent": draw(st.integers(0, 4))} for name in lines]}


def right_answers(exercise: dict[str, Any]) -> dict[str, Any]:
    kind = exercise["kind"]
    if kind in ("choice", "choices"):
        right = [option["id"] for option in exercise["options"] if option["correct"]]
        return {"picked": right[0] if kind == "choice" else right}
    if kind == "blank":
        return {"texts": [gap["number"] or gap["accept"][0] for gap in exercise["blanks"]]}
    if kind == "order":
        return {"order": exercise["orders"][0]}
    if kind == "match":
        return {"pairs": exercise["pairs"]}
    belonging = [line for line in exercise["lines"] if line["why"] is None]
    solution = exercise["solutions"][0]
    return {
        "lines": [
            {"line": line["id"], "indent": indent}
            for line, (_, indent) in zip(belonging, solution, strict=True)
        ]
    }


@given(st.data(), exercises, keys)
def test_an_answer_survives_the_way_out_and_back(
    data: st.DataObject, exercise: dict[str, Any], key: bytes
) -> None:
    answer = data.draw(answers(exercise))
    given_again = json.loads(json.dumps(encode(exercise, key, answer)))
    assert decode(exercise, key, given_again) == answer


@given(st.data(), exercises)
def test_every_answer_gets_a_verdict_and_always_the_same(
    data: st.DataObject, exercise: dict[str, Any]
) -> None:
    answer = data.draw(answers(exercise))
    verdict = grade(exercise, answer)
    assert verdict == grade(exercise, json.loads(json.dumps(answer)))
    assert verdict.explanation_html == exercise["right" if verdict.correct else "wrong"]


@given(exercises, keys)
def test_the_right_answer_is_right(exercise: dict[str, Any], key: bytes) -> None:
    given_right = encode(exercise, key, right_answers(exercise))
    assert grade(exercise, decode(exercise, key, given_right)).correct


def secrets_of(exercise: dict[str, Any]) -> list[str]:
    """Every text of a compiled exercise that only the server may know."""
    known = [exercise["right"], exercise["wrong"], exercise["salt"], *exercise["hints"]]
    for part in (*exercise.get("options", ()), *exercise.get("lines", ())):
        known += [part["id"], part["why"] or exercise["salt"]]
    for gap in exercise.get("blanks", ()):
        known += [*gap["accept"], *(mistake["why"] for mistake in gap["mistakes"])]
    return [f'"{text}"' for text in known]


@given(exercises, keys)
def test_what_is_shown_holds_no_part_of_the_key(exercise: dict[str, Any], key: bytes) -> None:
    shown = json.dumps(dataclasses.asdict(present(exercise, key)), ensure_ascii=False)
    for secret in secrets_of(exercise):
        assert secret not in shown
    for word in ("correct", "why", "solution", "orders", "accept", "number", "tolerance", "pairs"):
        assert f'"{word}"' not in shown


@given(exercises, keys)
def test_what_is_shown_is_the_same_after_a_reload(exercise: dict[str, Any], key: bytes) -> None:
    assert present(exercise, key) == present(json.loads(json.dumps(exercise)), key)


@given(keys)
def test_orders_are_never_shown_solved(key: bytes) -> None:
    order, parsons = EXERCISES["order"], EXERCISES["parsons"]
    shown = [item.text for item in present(order, key).items]
    assert shown not in (["Boil", "Pour", "Wait", "Drink"], ["Boil", "Wait", "Pour", "Drink"])
    strangers = {line["text"] for line in parsons["lines"] if line["why"] is not None}
    lines = [line.text for line in present(parsons, key).lines if line.text not in strangers]
    assert lines not in [[code for code, _ in program] for program in parsons["solutions"]]


def test_ids_and_orders_differ_between_attempts() -> None:
    for kind in ("choice", "choices", "order", "match", "parsons"):
        exercise = EXERCISES[kind]
        views = [present(exercise, bytes([number] * 8)) for number in range(60)]
        shown = [(*view.options, *view.items, *view.rights, *view.lines) for view in views]
        assert len({option.id for options in shown for option in options}) == sum(map(len, shown))
        firsts = {options[0].text for options in shown}
        assert len(firsts) == len(shown[0]), f"{kind}: something never stands first"


def test_every_place_is_as_likely_as_any_other() -> None:
    """A right option must not be found by where it stands."""
    exercise = EXERCISES["choice"]
    places = [0, 0, 0]
    for number in range(3000):
        texts = [option.text for option in present(exercise, number.to_bytes(8)).options]
        places[texts.index("Hot")] += 1
    assert all(abs(count - 1000) < 120 for count in places), places


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["hot", "i1", "p1", "id", "indent"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=6),
    max_leaves=20,
)


def decoded(
    exercise: dict[str, Any], key: bytes, value: Any
) -> tuple[dict[str, Any] | None, dict[str, list[str]]]:
    """The answer, or None and the reasons; any error but Invalid goes through."""
    try:
        return decode(exercise, key, value), {}
    except Invalid as refused:
        return None, refused.fields


@settings(max_examples=300)
@given(exercises, keys, json_values)
def test_rubbish_is_refused_and_nothing_else(exercise: dict[str, Any], key: bytes, rubbish: Any) -> None:
    answer, refused = decoded(exercise, key, rubbish)
    if answer is None:
        assert refused.keys() == {"answer"}
    else:
        assert exercise["kind"] == "blank"
        grade(exercise, answer)


@given(st.data(), exercises, keys)
def test_nearly_right_shapes_are_refused_or_graded(
    data: st.DataObject, exercise: dict[str, Any], key: bytes
) -> None:
    """Real ids in wrong places, numbers and nestings."""
    view = present(exercise, key)
    ids = [option.id for option in (*view.options, *view.items, *view.lefts, *view.rights, *view.lines)] or [
        "x"
    ]
    some_id = st.sampled_from(ids)
    line = st.fixed_dictionaries({"id": some_id, "indent": st.integers(-1, 5) | st.booleans()})
    shapes = (
        some_id
        | st.lists(some_id, max_size=9)
        | st.dictionaries(some_id, some_id | st.none(), max_size=6)
        | st.lists(line, max_size=8)
    )
    answer, refused = decoded(exercise, key, data.draw(shapes))
    if answer is None:
        assert refused["answer"][0].endswith(".")
    else:
        grade(exercise, answer)
