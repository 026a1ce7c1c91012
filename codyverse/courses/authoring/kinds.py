"""The fields of choice, choices, blank, order and match, with what would make them unfair or unanswerable."""

import re
from collections.abc import Sequence
from decimal import Decimal

from codyverse.courses.answers import fits, normal
from codyverse.courses.authoring.draft import Draft
from codyverse.courses.authoring.fields import Reader
from codyverse.courses.authoring.limits import (
    MAX_BLANKS,
    MAX_EXTRA,
    MAX_FORM,
    MAX_FORMS,
    MAX_ITEM,
    MAX_ITEMS,
    MAX_LABEL,
    MAX_MISTAKES,
    MAX_OPTIONS,
    MAX_ORDERS,
    MAX_PAIRS,
    MAX_PROSE,
)
from codyverse.courses.authoring.nodes import Node
from codyverse.courses.authoring.prose import Place
from codyverse.courses.authoring.tree import (
    BlankBody,
    BlankSource,
    ChoiceBody,
    MatchBody,
    MistakeSource,
    OptionSource,
    OrderBody,
)

_GAP = re.compile(r"\[\[([^\]\n]*)\]\]")


def choice(draft: Draft) -> ChoiceBody:
    """One right option."""
    body = _options(draft)
    right = sum(option.correct for option in body.options)
    if body.options and right != 1:
        draft.reader.fault(
            f"exercise: {right} options have `correct: true`; a choice has exactly one"
            + (" (several: `kind: choices`)" if right > 1 else "")
        )
    return body


def choices(draft: Draft) -> ChoiceBody:
    """Any number of right options, and at least one wrong."""
    body = _options(draft)
    right = sum(option.correct for option in body.options)
    if body.options and right == 0:
        draft.reader.fault("exercise: no option has `correct: true`; at least one is right")
    if body.options and right == len(body.options):
        draft.reader.fault("exercise: every option is right; at least one must be wrong")
    return body


def _options(draft: Draft) -> ChoiceBody:
    options = []
    readers = draft.reader.readers("options", 2, MAX_OPTIONS, "option")
    for reader in readers:
        option_id = reader.key("id")
        text = draft.prose(reader, "text", Place.SMALL)
        why = draft.prose(reader, "why", Place.BLOCK)
        options.append(OptionSource(option_id, text, reader.flag("correct"), why))
        reader.finish()
    _refuse_twins(readers, [option.id for option in options], "the id")
    _refuse_twins(readers, [option.text for option in options], "the text")
    return ChoiceBody(tuple(options), draft.reader.flag("fixed"))


def _refuse_twins(readers: list[Reader], values: Sequence[str], what: str) -> None:
    for number, value in enumerate(values):
        if value and value in values[:number]:
            readers[number].fault(
                f"{readers[number].what}: {what} is the same as that of {readers[values.index(value)].what}; change one"
            )


def blank(draft: Draft) -> BlankBody:
    """A text with gaps."""
    node = draft.reader.get("text")
    text = draft.reader.as_text(node, "`text`", MAX_PROSE) if node else ""
    blanks = tuple(_blank(draft, reader) for reader in draft.reader.readers("blanks", 1, MAX_BLANKS, "blank"))
    if node and text:
        draft.check(text, node.text_line, "exercise: `text`", Place.BLOCK, gaps=True)
        _check_gaps(draft, node, text, len(blanks))
    return BlankBody(text, blanks)


def _check_gaps(draft: Draft, node: Node, text: str, count: int) -> None:
    marks = _GAP.findall(text)
    wanted = [str(number) for number in range(1, count + 1)]
    if marks != wanted:
        shown = " ".join(f"[[{mark}]]" for mark in marks) or "no gap"
        order = " ".join(f"[[{number}]]" for number in wanted)
        draft.reader.fault(
            f"exercise: `text` has {shown}, but `blanks` lists {count}; there must be {order}, each once, in this order",
            node,
        )


def _blank(draft: Draft, reader: Reader) -> BlankSource:
    label = reader.line("label", MAX_LABEL)
    number = reader.decimal("number")
    tolerance = reader.decimal("tolerance")
    accept = reader.texts("accept", 1, MAX_FORMS, MAX_FORM, required=False)
    exact = reader.flag("exact")
    mistakes = tuple(
        _mistake(draft, found)
        for found in reader.readers("mistakes", 0, MAX_MISTAKES, "mistake", required=False)
    )
    reader.finish()
    source = BlankSource(label, accept, number, tolerance or Decimal(0), exact, mistakes)
    _check_blank(reader, source, has_tolerance=tolerance is not None)
    return source


def _mistake(draft: Draft, reader: Reader) -> MistakeSource:
    match = reader.texts("match", 1, MAX_FORMS, MAX_FORM)
    why = draft.prose(reader, "why", Place.BLOCK)
    reader.finish()
    return MistakeSource(match, why)


def _check_blank(reader: Reader, source: BlankSource, *, has_tolerance: bool) -> None:
    what = reader.what
    wants_number = reader.has("number")
    if not wants_number and not source.accept:
        reader.fault(f"{what}: write `accept: [...]` with the accepted forms, or `number:`")
    if has_tolerance and not wants_number:
        reader.fault(f"{what}: `tolerance` needs a `number`")
    if source.tolerance < 0:
        reader.fault(f"{what}: `tolerance` must not be negative")
    if source.exact and source.number is not None:
        reader.fault(f"{what}: `exact` is for texts; a number is compared by its value")
    for mistake in source.mistakes:
        for form in mistake.match:
            if fits(form, source.accept, source.number, source.tolerance, exact=source.exact):
                reader.fault(
                    f"{what}: the mistake `{form}` is also accepted as right; take it out of one of the two"
                )
    words = f" {normal(source.label)} "
    for form in source.accept:
        if len(normal(form)) > 2 and f" {normal(form)} " in words:
            reader.fault(f"{what}: the label gives the answer `{form}` away; describe the gap in other words")


def order(draft: Draft) -> OrderBody:
    """Items in the right order."""
    reader = draft.reader
    nodes = reader.nodes("items", 3, MAX_ITEMS)
    items = tuple(
        draft.prose_of(reader, node, f"item {n}", Place.SMALL, MAX_ITEM) for n, node in enumerate(nodes, 1)
    )
    _refuse_same(reader, nodes, items, "item")
    also = tuple(
        permutation
        for node in reader.nodes("also", 0, MAX_ORDERS, required=False)
        if (permutation := _permutation(reader, node, len(items)))
    )
    if len(set(also)) < len(also) or tuple(range(len(items))) in also:
        reader.fault("exercise: `also` names an order twice, or the order in which the items are listed")
    return OrderBody(items, also)


def _permutation(reader: Reader, node: Node, count: int) -> tuple[int, ...]:
    values = node.value if isinstance(node.value, list) else []
    numbers = [item.value for item in values]
    wanted = [str(number) for number in range(1, count + 1)]
    if sorted(map(str, numbers)) != sorted(wanted):
        shown = ", ".join(wanted)
        reader.fault(
            f"exercise: each order in `also` holds every item's number once, such as [{shown}] in another order",
            node,
        )
        return ()
    return tuple(int(str(number)) - 1 for number in numbers)


def match(draft: Draft) -> MatchBody:
    """Pairs, and right sides that belong to nothing."""
    reader = draft.reader
    nodes = reader.nodes("pairs", 2, MAX_PAIRS)
    pairs = [pair for node in nodes if (pair := _pair(draft, node))]
    extra_nodes = reader.nodes("extra", 0, MAX_EXTRA, required=False)
    extra = [
        draft.prose_of(reader, node, "an item of `extra`", Place.SMALL, MAX_ITEM) for node in extra_nodes
    ]
    if len(pairs) == len(nodes):
        _refuse_same(reader, nodes, [left for left, _ in pairs], "the left side of pair")
        rights = [right for _, right in pairs] + extra
        _refuse_same(reader, nodes + extra_nodes, rights, "right side")
    return MatchBody(tuple(pairs), tuple(extra))


def _pair(draft: Draft, node: Node) -> tuple[str, str] | None:
    if not isinstance(node.value, list) or len(node.value) != 2:
        draft.reader.fault(
            "exercise: a pair is a list of two texts: [left, right]; texts with commas or colons stand in quotes",
            node,
        )
        return None
    left, right = (
        draft.prose_of(draft.reader, side, "a side of a pair", Place.SMALL, MAX_ITEM) for side in node.value
    )
    return left, right


def _refuse_same(reader: Reader, nodes: list[Node], texts: Sequence[str], what: str) -> None:
    seen: dict[str, int] = {}
    for number, (node, text) in enumerate(zip(nodes, texts, strict=True), 1):
        plain = " ".join(text.split())
        if plain and plain in seen:
            reader.fault(
                f"exercise: {what} {number} is the same as {seen[plain]}; nobody can tell them apart", node
            )
        seen.setdefault(plain, number)
