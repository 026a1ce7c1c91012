"""The fields of a Parsons problem: a program, other right programs of the same lines, and lines that do not belong."""

from codyverse.courses.authoring.draft import Draft
from codyverse.courses.authoring.fields import Reader, closest
from codyverse.courses.authoring.limits import (
    INDENT,
    MAX_DISTRACTOR,
    MAX_DISTRACTORS,
    MAX_INDENT,
    MAX_LANGUAGE,
    MAX_LINES,
    MAX_PROGRAM,
    MAX_PROGRAMS,
    MIN_LINES,
)
from codyverse.courses.authoring.nodes import Node
from codyverse.courses.authoring.prose import Place, syntax_problem
from codyverse.courses.authoring.tree import CodeLine, DistractorSource, ParsonsBody
from codyverse.courses.markdown import lexer_for


def parsons(draft: Draft) -> ParsonsBody:
    """Build a program from its lines."""
    reader = draft.reader
    language = reader.line("language", MAX_LANGUAGE)
    if language and lexer_for(language) is None:
        reader.fault(
            f"exercise: the language `{language}` is unknown{closest(language, ('python', 'text', 'bash', 'sql'))}"
        )
    node = reader.get("solution")
    solution = _program(reader, node, "solution", language) if node else ()
    also = tuple(
        _other(reader, found, solution, language)
        for found in reader.nodes("also", 0, MAX_PROGRAMS, required=False)
    )
    if len(set(also)) < len(also):
        reader.fault("exercise: `also` lists the same program twice")
    distractors = _distractors(draft, solution)
    return ParsonsBody(language or "python", solution, also, distractors, reader.verbatim("output"))


def _program(reader: Reader, node: Node, name: str, language: str) -> tuple[CodeLine, ...]:
    if not isinstance(node.value, str):
        reader.fault(
            f"exercise: `{name}` must be a program as a text: write `|` and the lines below it", node
        )
        return ()
    if len(node.value) > MAX_PROGRAM:
        reader.fault(
            f"exercise: `{name}` has {len(node.value)} characters; shorten it to {MAX_PROGRAM}", node
        )
        return ()
    lines = []
    for number, raw in enumerate(node.value.rstrip().split("\n")):
        line = node.text_line + number
        code = raw.strip()
        depth = len(raw) - len(raw.lstrip(" "))
        if not code:
            reader.faults.add(reader.path, line, f"exercise: `{name}` has an empty line; take it out")
        elif "\t" in raw:
            reader.faults.add(reader.path, line, f"exercise: `{name}` has a tab; indent by four spaces")
        elif depth % INDENT or depth > INDENT * MAX_INDENT:
            reader.faults.add(
                reader.path,
                line,
                f"exercise: `{name}` is indented by {depth} spaces here; use 4 per level, at most {MAX_INDENT} levels",
            )
        lines.append(CodeLine(code, depth // INDENT))
    if not MIN_LINES <= len(lines) <= MAX_LINES:
        reader.fault(
            f"exercise: `{name}` has {len(lines)} lines; there must be {MIN_LINES} to {MAX_LINES}", node
        )
    problem = syntax_problem(node.value) if language == "python" else None
    if problem:
        reader.faults.add(
            reader.path, node.text_line + problem[0], f"exercise: `{name}` is not valid Python ({problem[1]})"
        )
    return tuple(lines)


def _other(reader: Reader, node: Node, solution: tuple[CodeLine, ...], language: str) -> tuple[CodeLine, ...]:
    program = _program(reader, node, "also", language)
    if sorted(line.code for line in program) != sorted(line.code for line in solution):
        reader.fault("exercise: a program in `also` must be made of exactly the lines of the solution", node)
    elif program == solution:
        reader.fault("exercise: a program in `also` is the solution itself; take it out", node)
    return program


def _distractors(draft: Draft, solution: tuple[CodeLine, ...]) -> tuple[DistractorSource, ...]:
    distractors: list[DistractorSource] = []
    known = {line.code for line in solution}
    for reader in draft.reader.readers("distractors", 0, MAX_DISTRACTORS, "distractor", required=False):
        code = reader.line("code", MAX_DISTRACTOR).strip()
        why = draft.prose(reader, "why", Place.BLOCK)
        reader.finish()
        if code and code in known:
            reader.fault(f"{reader.what}: the line `{code}` is part of the solution, or stands here twice")
        known.add(code)
        distractors.append(DistractorSource(code, why))
    return tuple(distractors)
