"""What the parsers of all kinds of exercise share while they read: the fields, the place for faults, and Markdown checks."""

from dataclasses import dataclass

from codyverse.courses.authoring.fields import Reader
from codyverse.courses.authoring.limits import MAX_PROSE
from codyverse.courses.authoring.nodes import Node
from codyverse.courses.authoring.prose import Place, Prose, ProseCheck
from codyverse.courses.authoring.tree import Faults


@dataclass(slots=True)
class Draft:
    """An exercise while it is read."""

    reader: Reader
    path: str
    faults: Faults
    has_python: bool = False

    def prose(self, reader: Reader, name: str, place: Place, limit: int = MAX_PROSE) -> str:
        """A Markdown field, checked."""
        node = reader.get(name)
        return self.prose_of(reader, node, f"`{name}`", place, limit) if node else ""

    def prose_of(self, reader: Reader, node: Node, name: str, place: Place, limit: int = MAX_PROSE) -> str:
        """The Markdown of a node, checked."""
        text = reader.as_text(node, name, limit)
        self.check(text, node.text_line, f"{reader.what}: {name}", place)
        return text

    def check(self, text: str, line: int, what: str, place: Place, *, gaps: bool = False) -> Prose:
        """Check Markdown and remember whether it showed Python."""
        prose = ProseCheck(self.path, self.faults, what, place).run(text, line, gaps=gaps)
        self.has_python = self.has_python or (
            place is Place.BLOCK and gaps and any(fence.language == "python" for fence in prose.fences)
        )
        return prose
