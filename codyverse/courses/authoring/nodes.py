"""YAML read into nodes that know their line. Every value stays as it was typed: `yes` and `3.10` are texts until asked.

Built on the parser's events, so that tags, anchors and aliases can be refused before anything is constructed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from codyverse.courses.authoring.tree import Faults

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 8
MAX_NODES = 5_000


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a YAML text. `line` counts from 1 in the file; `text_line` is where its text begins.

    `form` is what JSON says that a value is (`a text`, `a number` …); YAML does not say it.
    """

    value: "str | list[Node] | dict[str, Node]"
    line: int
    style: str = ""
    form: str = ""

    @property
    def text_line(self) -> int:
        """The file's line of the first line of the text: block texts begin below their mark."""
        return self.line + 1 if self.style in ("|", ">") else self.line

    @property
    def is_empty(self) -> bool:
        """Nothing was written, or a bare `null` or `~`."""
        return self.value in ("", "null", "~") and not self.style


class YamlFault(Exception):
    """The text is no YAML that we take. `line` counts from 1 in the file."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def read_mapping(text: str, first_line: int, path: str, faults: Faults, what: str) -> Node | None:
    """Read a YAML text that must be a mapping; None when it is not, with the fault noted.

    `first_line` is the line of the file on which the text begins, `what` names it for the author.
    """
    try:
        node = _parse(text, first_line, path, faults)
    except YamlFault as fault:
        faults.add(path, fault.line, f"{what}: {fault.message}")
        return None
    if not isinstance(node.value, dict):
        faults.add(path, first_line, f"{what} must consist of lines `name: value`")
        return None
    return node


def _parse(text: str, first_line: int, path: str, faults: Faults) -> Node:
    builder = _Builder(first_line, path, faults)
    events = builder.events(text)
    try:
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                node = builder.node(event, events, 0)
                if any(isinstance(rest, yaml.DocumentStartEvent) for rest in events):
                    raise YamlFault(first_line, "a line `---` begins a second document here; take it out")
                return node
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        lines = text.split("\n")
        number = min(mark.line, len(lines) - 1) if mark else 0
        at = lines[number][mark.column : mark.column + 1] if mark else ""
        raise YamlFault(first_line + number, _advice(error, at)) from error
    except yaml.YAMLError as error:
        raise YamlFault(first_line, f"this cannot be read as YAML ({error})") from error
    raise YamlFault(first_line, "nothing is written here")


class _Builder:
    """Turns parser events into nodes, within bounds."""

    def __init__(self, first_line: int, path: str, faults: Faults) -> None:
        self.first_line = first_line
        self.path = path
        self.faults = faults
        self.count = 0

    def events(self, text: str) -> Iterator[yaml.Event]:
        return iter(yaml.parse(text, Loader=_LOADER))

    def line(self, event: yaml.Event) -> int:
        return self.first_line + (event.start_mark.line if event.start_mark else 0)

    def node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        line = self.line(event)
        self.count += 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlFault(
                line,
                "`&` and `*` (anchors and aliases) are not used here; put the text in quotes or write it out",
            )
        if depth > MAX_DEPTH or self.count > MAX_NODES:
            raise YamlFault(line, "this is nested too deeply or is too long")
        if getattr(event, "tag", None) not in (None, "!"):
            raise YamlFault(line, "a value that begins with `!` must stand in quotes")
        if isinstance(event, yaml.ScalarEvent):
            return Node(event.value, line, event.style or "")
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._items(events, depth), line)
        return Node(self._fields(events, depth), line)

    def _items(self, events: Iterator[yaml.Event], depth: int) -> list[Node]:
        items: list[Node] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self.node(event, events, depth + 1))
        return items

    def _fields(self, events: Iterator[yaml.Event], depth: int) -> dict[str, Node]:
        fields: dict[str, Node] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            name = self.node(event, events, depth + 1)
            value = self.node(next(events), events, depth + 1)
            if not isinstance(name.value, str):
                raise YamlFault(name.line, "a field's name must be a plain word")
            if name.value in fields:
                self.faults.add(
                    self.path,
                    name.line,
                    f"`{name.value}` stands here a second time (first on line {fields[name.value].line}); keep one",
                )
                continue
            fields[name.value] = value
        return fields


_TAB = "a tab stands where spaces must; indent with spaces"
_ADVICE = (
    (
        "mapping values are not allowed",
        "a text with a colon and a space in it must stand in quotes (or in a `>-` block)",
    ),
    ("found a tab", _TAB),
    ("cannot start any token", "a text that begins with ` or @ or % must stand in quotes"),
    ("quoted scalar", "a quotation mark is opened and not closed, or the quoted text is not indented"),
    (
        "expected ',' or",
        "inside [ ] texts with commas, colons or brackets stand in quotes, and the bracket must be closed",
    ),
    (
        "did not find expected",
        "the indentation is uneven, or text follows a closing quotation mark: quote all of it",
    ),
    (
        "could not find expected ':'",
        "a colon is missing after a field's name, or a text over several lines is not indented",
    ),
)


def _advice(error: yaml.MarkedYAMLError, sign: str) -> str:
    """What to write instead, for the faults that authors make; `sign` is where the parser stopped."""
    if sign == "\t":
        return _TAB
    problem = f"{error.context or ''} {error.problem or ''}".strip()
    known = (advice for words, advice in _ADVICE if words in problem)
    return next(known, f"this cannot be read as YAML ({problem})")
