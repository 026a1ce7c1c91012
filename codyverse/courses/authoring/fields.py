"""Reading typed fields from a node: each fault is named with its line, unknown fields with the closest right name."""

import difflib
import re
from collections.abc import Iterator
from decimal import Decimal

from codyverse.courses.authoring.limits import KEY_PATTERN, MAX_KEY
from codyverse.courses.authoring.nodes import Node
from codyverse.courses.authoring.tree import Faults

KEY = re.compile(KEY_PATTERN + r"\Z")
KEY_RULE = (
    f"lower case letters, digits and single hyphens, at most {MAX_KEY} characters, such as `what-learns`"
)
DIFFICULTIES = ("beginner", "intermediate", "advanced")
MAX_TEXT = 4_000
TEXT, NUMBER, FLAG = "a text", "a number", "true or false"
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?\Z")


def is_key(value: str) -> bool:
    """Whether this may be a key."""
    return len(value) <= MAX_KEY and KEY.match(value) is not None


def closest(word: str, known: Iterator[str] | tuple[str, ...] | list[str]) -> str:
    """'; did you mean `x`?' for the most similar known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


class Reader:
    """Reads the fields of one mapping. A field that was asked for is known; `finish` refuses the rest."""

    def __init__(self, node: Node, path: str, faults: Faults, what: str) -> None:
        self.node = node
        self.path = path
        self.faults = faults
        self.what = what
        self._fields: dict[str, Node] = node.value if isinstance(node.value, dict) else {}
        self._known: list[str] = []

    def fault(self, message: str, node: Node | None = None) -> None:
        """Note a fault at a node, or at the mapping itself."""
        self.faults.add(self.path, (node or self.node).line, message)

    def get(self, name: str, *, required: bool = True) -> Node | None:
        """The node of a field; a required one that is missing is a fault."""
        self._known.append(name)
        node = self._fields.get(name)
        if node is not None and node.is_empty:
            if required:
                self.fault(f"{self.what}: `{name}` is empty; write something or take the line out", node)
            return None
        if node is None and required:
            self.fault(f"{self.what}: `{name}` is missing")
        return node

    def has(self, name: str) -> bool:
        """Whether the field was written, rightly or wrongly."""
        return name in self._fields

    def text(self, name: str, limit: int = MAX_TEXT, *, required: bool = True) -> str:
        """A text of at most `limit` characters without outer blanks; empty when missing."""
        node = self.get(name, required=required)
        return self.as_text(node, f"`{name}`", limit) if node else ""

    def as_text(
        self, node: Node, name: str, limit: int = MAX_TEXT, *, forms: tuple[str, ...] = (TEXT,)
    ) -> str:
        """The text of a node, cut at `limit`, so that what is too long costs no further checks.

        A list or a mapping in its place is a fault, and in JSON whatever is none of `forms`.
        """
        if node.form and node.form not in forms:
            self.fault(f"{self.what}: {name} must be {forms[0]}, not {node.form}", node)
            return ""
        if not isinstance(node.value, str):
            reason = (
                "a colon and a space make it a list of fields"
                if isinstance(node.value, dict)
                else "it is a list"
            )
            self.fault(f"{self.what}: {name} must be a text, but {reason}; put the text in quotes", node)
            return ""
        text = node.value.strip("\n") if node.style in ("|", ">") else node.value.strip()
        if not text.strip():
            self.fault(f"{self.what}: {name} is empty; write something", node)
        if len(text) > limit:
            self.fault(f"{self.what}: {name} has {len(text)} characters; shorten it to {limit}", node)
        return text[:limit]

    def line(self, name: str, limit: int, *, required: bool = True) -> str:
        """A text on one line."""
        node = self.get(name, required=required)
        text = self.as_text(node, f"`{name}`", limit) if node else ""
        if node and "\n" in text:
            self.fault(f"{self.what}: `{name}` must stand on one line", node)
        return text

    def key(self, name: str = "key") -> str:
        """A key; empty when it is missing or wrong."""
        node = self.get(name)
        text = self.as_text(node, f"`{name}`") if node else ""
        if node and text and not is_key(text):
            self.fault(f"{self.what}: `{text}` cannot be a key; write {KEY_RULE}", node)
            return ""
        return text

    def verbatim(self, name: str) -> str | None:
        """A text exactly as written, its blanks too; None when missing."""
        node = self.get(name, required=False)
        if node is None:
            return None
        if not isinstance(node.value, str) or node.form not in ("", TEXT):
            self.fault(f"{self.what}: `{name}` must be a text", node)
            return None
        return node.value

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of a few words; the first of them when it is missing or wrong."""
        node = self.get(name)
        text = self.as_text(node, f"`{name}`") if node else ""
        if text in allowed:
            return text
        if node and text:
            self.fault(f"{self.what}: `{name}: {text}` is unknown; write one of {', '.join(allowed)}", node)
        return allowed[0]

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`; `low` when it is missing or wrong."""
        node = self.get(name)
        if node is None:
            return low
        text = self.as_text(node, f"`{name}`", forms=(NUMBER,))
        if re.match(r"[0-9]{1,6}\Z", text) and low <= int(text) <= high:
            return int(text)
        if text:
            self.fault(
                f"{self.what}: `{name}` must be a whole number from {low} to {high}, not `{text}`", node
            )
        return low

    def decimal(self, name: str) -> Decimal | None:
        """A number such as 20 or 2.5, exactly as written; None when missing."""
        node = self.get(name, required=False)
        if node is None:
            return None
        text = self.as_text(node, f"`{name}`", forms=(NUMBER, TEXT))
        if not text:
            return None
        if _NUMBER.match(text):
            return Decimal(text)
        self.fault(f"{self.what}: `{name}` must be a number such as 20 or 2.5, not `{text}`", node)
        return None

    def flag(self, name: str) -> bool:
        """true or false; false when missing."""
        node = self.get(name, required=False)
        if node is None:
            return False
        text = self.as_text(node, f"`{name}`", forms=(FLAG,))
        if text and text not in ("true", "false"):
            self.fault(f"{self.what}: `{name}` must be true or false, not `{text}`", node)
        return text == "true"

    def nodes(self, name: str, low: int, high: int, *, required: bool = True) -> list[Node]:
        """The nodes of a list of `low` to `high` items, no more; empty when missing."""
        node = self.get(name, required=required)
        if node is None:
            return []
        if not isinstance(node.value, list):
            self.fault(f"{self.what}: `{name}` must be a list: one line `- …` per item, or [a, b]", node)
            return []
        if not low <= len(node.value) <= high:
            size = f"{low} to {high}" if low != high else str(low)
            self.fault(f"{self.what}: `{name}` has {len(node.value)} items; there must be {size}", node)
        return node.value[:high]

    def texts(
        self, name: str, low: int, high: int, limit: int = MAX_TEXT, *, required: bool = True
    ) -> tuple[str, ...]:
        """A list of texts."""
        nodes = self.nodes(name, low, high, required=required)
        return tuple(self.as_text(node, f"an item of `{name}`", limit) for node in nodes)

    def readers(self, name: str, low: int, high: int, what: str, *, required: bool = True) -> list["Reader"]:
        """A list of mappings, each with a reader of its own."""
        readers: list[Reader] = []
        for number, node in enumerate(self.nodes(name, low, high, required=required), 1):
            if isinstance(node.value, dict):
                readers.append(Reader(node, self.path, self.faults, f"{what} {number}"))
            else:
                self.fault(f"{what} {number} must consist of fields `name: value`", node)
        return readers

    def finish(self) -> None:
        """Refuse every field that nobody asked for."""
        for name, node in self._fields.items():
            if name not in self._known:
                hint = closest(name, self._known) or f"; known here: {', '.join(self._known)}"
                self.fault(f"{self.what}: `{name}` is not a field{hint}", node)
