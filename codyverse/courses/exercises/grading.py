"""Right or wrong, and what to say: the author's words first, then how far a partly right answer has come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any

from codyverse.core.errors import NotFound
from codyverse.courses.answers import fits, readings, same_mistake


@dataclass(frozen=True, slots=True)
class Note:
    """A remark on a part of the answer. `about_html` (phrasing content) says on which; empty: on the whole."""

    about_html: str
    html: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one answer. Partly right is not correct, but a note says which part is."""

    correct: bool
    explanation_html: str
    notes: tuple[Note, ...]


def grade(exercise: dict[str, Any], answer: dict[str, Any]) -> Verdict:
    """Grade a kept answer (from `decode`). Pure: the same answer always gets the same verdict."""
    correct, notes = _GRADERS[exercise["kind"]](exercise, answer)
    return Verdict(correct, exercise["right" if correct else "wrong"], tuple(notes))


def hint_count(exercise: dict[str, Any]) -> int:
    """How many hints there are, 0 to 3."""
    return len(exercise["hints"])


def hint(exercise: dict[str, Any], n: int) -> str:
    """The hint number `n`, counted from 1, as HTML. Raises NotFound when there is none."""
    if not 1 <= n <= len(exercise["hints"]):
        raise NotFound("There is no such hint.")
    return str(exercise["hints"][n - 1])


def _say(text: str) -> Note:
    return Note("", f"<p>{text}</p>")


def _choice(exercise: dict[str, Any], answer: dict[str, Any]) -> tuple[bool, list[Note]]:
    picked = next(option for option in exercise["options"] if option["id"] == answer["picked"])
    return picked["correct"], [Note(picked["html"], picked["why"])]


def _choices(exercise: dict[str, Any], answer: dict[str, Any]) -> tuple[bool, list[Note]]:
    picked = set(answer["picked"])
    options = exercise["options"]
    judged_right = sum((option["id"] in picked) == option["correct"] for option in options)
    if judged_right == len(options):
        return True, [Note(option["html"], option["why"]) for option in options if option["correct"]]
    # What was left out is not named, and rightly picked options wait too: trying again must stay worth it.
    strangers = [option for option in options if option["id"] in picked and not option["correct"]]
    notes = [_say(f"{judged_right} of {len(options)} are judged rightly.")]
    return False, notes + [Note(option["html"], option["why"]) for option in strangers]


def _blank(exercise: dict[str, Any], answer: dict[str, Any]) -> tuple[bool, list[Note]]:
    pairs = list(zip(exercise["blanks"], answer["texts"], strict=True))
    right = [_fits(blank, text) for blank, text in pairs]
    notes = []
    if not all(right) and len(right) > 1:
        named = [escape(blank["label"]) for (blank, _), good in zip(pairs, right, strict=True) if good]
        notes.append(
            _say(f"{sum(right)} of {len(right)} gaps are right{': ' if named else ''}{'; '.join(named)}.")
        )
    for (blank, text), good in zip(pairs, right, strict=True):
        remark = None if good else _remark(blank, text)
        if remark:
            notes.append(Note(escape(blank["label"]), remark))
    return all(right), notes


def _number(blank: dict[str, Any]) -> Decimal | None:
    return None if blank["number"] is None else Decimal(blank["number"])


def _fits(blank: dict[str, Any], text: str) -> bool:
    return fits(text, blank["accept"], _number(blank), Decimal(blank["tolerance"]), exact=blank["exact"])


def _remark(blank: dict[str, Any], text: str) -> str | None:
    """What to say to a wrong text: the author's words for a known mistake, else what is wrong with its form."""
    numeric = blank["number"] is not None
    for mistake in blank["mistakes"]:
        if any(
            same_mistake(text, known, numeric=numeric, exact=blank["exact"]) for known in mistake["match"]
        ):
            return str(mistake["why"])
    if numeric and not readings(text):
        return "<p>Write it as a number, such as 20 or 2.5.</p>"
    if blank["exact"] and fits(text, blank["accept"], None):
        return "<p>Nearly: here capital letters and spaces count too.</p>"
    return None


def _prefix(wanted: Sequence[Any], given: Sequence[Any]) -> int:
    """How many parts agree from the beginning."""
    agreeing = (number for number, pair in enumerate(zip(wanted, given, strict=False)) if pair[0] != pair[1])
    return next(agreeing, min(len(wanted), len(given)))


def _begun(count: int, total: int, what: str) -> Note:
    if count == 0:
        return _say(f"The first {what} is not right yet.")
    if count == 1:
        return _say(f"The first {what} is right. Look at what comes after it.")
    return _say(f"The first {count} of {total} {what}s are right. Look at what comes after them.")


def _order(exercise: dict[str, Any], answer: dict[str, Any]) -> tuple[bool, list[Note]]:
    given = answer["order"]
    if given in exercise["orders"]:
        return True, []
    best = max(_prefix(order, given) for order in exercise["orders"])
    return False, [_begun(best, len(given), "place")]


def _match(exercise: dict[str, Any], answer: dict[str, Any]) -> tuple[bool, list[Note]]:
    right = [
        left for left in exercise["lefts"] if answer["pairs"][left["id"]] == exercise["pairs"][left["id"]]
    ]
    total = len(exercise["lefts"])
    if len(right) == total:
        return True, []
    named = f": {'; '.join(left['html'] for left in right)}" if right else ""
    return False, [_say(f"{len(right)} of {total} pairs are right{named}.")]


def _parsons(exercise: dict[str, Any], answer: dict[str, Any]) -> tuple[bool, list[Note]]:
    lines = {line["id"]: line for line in exercise["lines"]}
    given = [[lines[placed["line"]]["text"], placed["indent"]] for placed in answer["lines"]]
    if given in exercise["solutions"]:
        return True, []
    return False, list(_parsons_notes(exercise, [lines[placed["line"]] for placed in answer["lines"]], given))


def _parsons_notes(
    exercise: dict[str, Any], placed: list[dict[str, Any]], given: list[list[Any]]
) -> Iterator[Note]:
    strangers = [line for line in placed if line["why"] is not None]
    yield from (Note(line["html"], line["why"]) for line in strangers)
    codes = [code for code, _ in given]
    if any([code for code, _ in program] == codes for program in exercise["solutions"]):
        yield _say("The right lines in the right order. Only the indentation is not right yet.")
        return
    total = len(exercise["solutions"][0])
    yield _begun(max(_prefix(program, given) for program in exercise["solutions"]), total, "line")
    if len(placed) - len(strangers) < total:
        yield _say("Some lines are still missing.")


_GRADERS = {
    "choice": _choice,
    "choices": _choices,
    "blank": _blank,
    "order": _order,
    "match": _match,
    "parsons": _parsons,
}
