"""What a course is, as written: immutable and independent of where it was read from."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something that an author has to mend. `path` is relative to where the author called from; `line` counts from 1."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(slots=True)
class Faults:
    """Collects faults, so that an author sees all of them at once."""

    found: list[Fault] = field(default_factory=list)

    def add(self, path: str, line: int, message: str) -> None:
        """Note one fault."""
        self.found.append(Fault(path, line, message))

    def sorted(self) -> tuple[Fault, ...]:
        """All faults in the order of files and lines, none twice."""
        return tuple(sorted(set(self.found)))


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced code block: its info string, its text, and the line of its opening mark."""

    info: str
    text: str
    line: int

    @property
    def words(self) -> tuple[str, ...]:
        """The info string in words; the first is the language."""
        return tuple(self.info.split())

    @property
    def language(self) -> str:
        """The first word of the info string, or nothing."""
        return self.words[0] if self.words else ""


@dataclass(frozen=True, slots=True)
class Check:
    """A Python expression that must be true, for a number worked out by the author."""

    expression: str
    line: int


@dataclass(frozen=True, slots=True)
class Picture:
    """An own drawing: where it is, and its source text."""

    path: str
    source: str


@dataclass(frozen=True, slots=True)
class OptionSource:
    """One choice with the reason why it is right or wrong."""

    id: str
    text: str
    correct: bool
    why: str


@dataclass(frozen=True, slots=True)
class MistakeSource:
    """Known wrong answers to a blank, and what to say to them."""

    match: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class BlankSource:
    """One gap: accepted forms, or a number with a tolerance, or both."""

    label: str
    accept: tuple[str, ...] = ()
    number: Decimal | None = None
    tolerance: Decimal = Decimal(0)
    exact: bool = False
    mistakes: tuple[MistakeSource, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeLine:
    """A line of a Parsons problem: its code without the indentation, and the levels of indentation."""

    code: str
    indent: int


@dataclass(frozen=True, slots=True)
class DistractorSource:
    """A line that does not belong into the program, and why."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class ChoiceBody:
    """choice and choices."""

    options: tuple[OptionSource, ...]
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class BlankBody:
    """blank: a text with gaps."""

    text: str
    blanks: tuple[BlankSource, ...]


@dataclass(frozen=True, slots=True)
class OrderBody:
    """order: items in a right order; `also` holds further right orders as positions counted from 0."""

    items: tuple[str, ...]
    also: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class MatchBody:
    """match: pairs, and right sides that belong to nothing."""

    pairs: tuple[tuple[str, str], ...]
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsonsBody:
    """parsons: a program to build from its lines; `also` holds further right programs of the same lines."""

    language: str
    solution: tuple[CodeLine, ...]
    also: tuple[tuple[CodeLine, ...], ...] = ()
    distractors: tuple[DistractorSource, ...] = ()
    output: str | None = None


Body = ChoiceBody | BlankBody | OrderBody | MatchBody | ParsonsBody


@dataclass(frozen=True, slots=True)
class ExerciseSource:
    """An exercise: what all kinds share, and the body of its kind."""

    kind: str
    level: int
    right: str
    wrong: str
    body: Body
    hints: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    predicts: bool = False
    line: int = 1


@dataclass(frozen=True, slots=True)
class StepSource:
    """A step: Markdown, and an exercise if it asks."""

    key: str
    title: str
    skills: tuple[str, ...]
    body: str
    body_line: int
    exercise: ExerciseSource | None
    fences: tuple[Fence, ...] = ()
    checks: tuple[Check, ...] = ()
    line: int = 1


@dataclass(frozen=True, slots=True)
class LessonSource:
    """A lesson with its steps in order, and the pictures it shows by the name used in the text."""

    key: str
    title: str
    summary: str
    goal: str
    difficulty: str
    minutes: int
    steps: tuple[StepSource, ...]
    path: str
    pictures: dict[str, Picture] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """A module with its lessons in order."""

    key: str
    title: str
    summary: str
    lessons: tuple[LessonSource, ...]
    path: str


@dataclass(frozen=True, slots=True)
class CourseSource:
    """A course with its modules in order. `digest` is the hash of all its files."""

    key: str
    title: str
    summary: str
    difficulty: str
    skills: dict[str, str]
    description: str
    modules: tuple[ModuleSource, ...]
    path: str
    digest: str = ""

    @property
    def lessons(self) -> tuple[LessonSource, ...]:
        """All lessons of the course in order."""
        return tuple(lesson for module in self.modules for lesson in module.lessons)
